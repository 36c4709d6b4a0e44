// What is used of plotly.js; its own package brings no types.
declare module "plotly.js-basic-dist-min" {
  export type Axis = { _offset: number; _length: number; p2c(pixels: number): number; c2p(value: number): number };
  export type Drawn = HTMLElement & {
    on(event: string, callback: (event: never) => void): void;
    _fullLayout: { xaxis: Axis; _size: { t: number; h: number } };
  };
  export type Figure = { data: unknown[]; layout: Record<string, unknown> };
  export function react(el: HTMLElement, data: unknown[], layout: object, config: object): Promise<Drawn>;
  export function purge(el: HTMLElement): void;
  export const Plots: { resize(el: HTMLElement): void };
}
