/** Places in the language of the page: countries and regions by the codes of ISO 3166, and whatever else a producer wrote, as it is. */
import { language, words } from "../language/words";

// DE, or DE-BE: a country of ISO 3166-1, and what follows names a part of it (ISO 3166-2).
const CODE = /^([A-Z]{2})(?:-[A-Z0-9]{1,3})?$/;

/** Whether a location is a code, and no name that a producer chose. */
export function isCode(location: string): boolean {
  return CODE.test(location);
}

/** The country of a location, or the location itself where it is no code. */
export function countryOf(location: string): string {
  return CODE.exec(location)?.[1] ?? location;
}

/** How a country is called; browsers know no names of regions, whose codes are shown as they are. */
export function placeName(location: string): string {
  if (location === "") return words.places.unknown;
  if (!isCode(location)) return location;
  const country = countryOf(location);
  const name = new Intl.DisplayNames(language, { type: "region" }).of(country) ?? country;
  return location === country ? name : `${name} (${location})`;
}
