/** The dashboards that are opened first in the morning, as one file to load: many small ones come six at a time. */
export { Executive } from "./executive";
export { Forecasting } from "./forecasting";
