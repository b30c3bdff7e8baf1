/** The dashboards to work with, as one file to load beside that of the overviews, with which they share widgets. */
export { Automation } from "./automation";
export { Gallery } from "./gallery";
export { Performance } from "./performance";
export { PlatformHealth } from "./platform-health";
