// Plotly's basic charts, once per page. Widgets ask for them through the Charts model.
import { Plots, purge, react } from "plotly.js-basic-dist-min";
import { announceCharts } from "./shared/charts";

const charts = { Plots, purge, react };
export type Charts = typeof charts;

announceCharts(charts);

export default { initialize() {} };
