// Writes src/gen/world-outlines.json: the outlines of the world's countries as SVG paths by their codes of ISO 3166-1. Part of `npm run generate`.
//
// The outlines are those of Natural Earth at 1:110 million (public domain), in the projection Equal Earth: a country that is coloured by a
// figure takes no more of the picture than its share of the land.
import { readFileSync, writeFileSync } from "node:fs";
import { geoEqualEarth, geoPath } from "d3-geo";
import codes from "i18n-iso-countries";
import { feature } from "topojson-client";

// About twice as wide as it is shown, so whole numbers are exact to half a pixel.
const WIDTH = 1600;
const DIGITS = 0;
// Nobody begins a journey there, and it takes a fifth of the height.
const ANTARCTICA = "010";
// Natural Earth gives no number to countries that not all states recognise. This one has a code in common use.
const KOSOVO = "XK";

const atlas = JSON.parse(readFileSync("node_modules/world-atlas/countries-110m.json", "utf8"));
const land = feature(atlas, atlas.objects.countries);
land.features = land.features.filter(({ id }) => id !== ANTARCTICA);
const projection = geoEqualEarth().fitWidth(WIDTH, land);
const path = geoPath(projection).digits(DIGITS);
const height = Math.ceil(path.bounds(land)[1][1]);

const countries = {};
let others = "";
for (const country of land.features) {
  const code = country.id === undefined ? (country.properties.name === "Kosovo" ? KOSOVO : undefined) : codes.numericToAlpha2(country.id);
  if (code === undefined) others += path(country);
  else countries[code] = path(country);
}
if (Object.keys(countries).length < 170) throw new Error("most countries of the atlas have no code: see outlines.mjs");
writeFileSync("src/gen/world-outlines.json", JSON.stringify({ width: WIDTH, height, countries, others }));
