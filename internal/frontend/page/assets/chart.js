// The last hour as plots, drawn by uPlot.

import { clock, duration, el, show } from './text.js';
import { wall } from './time.js';

/* global uPlot */

const height = 116;
const colours = ['--line-1', '--line-2', '--line-3', '--line-4', '--line-5', '--line-6'];
const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [12, 4]]; // colour is not the only sign
const number = v => v === null || v === undefined ? '–' : String(Number(v.toPrecision(4)));
const lag = v => v === null || v === undefined ? '–' : duration(v * 1000);

export class Charts {
  constructor(root) {
    this.root = root;
    this.none = el('p', { class: 'muted' }, 'The first values are taken within ten seconds.');
    this.weight = new Chart('Weight', 'landmark-hour', { range: [0, 100], unit: v => `${v} %` });
    this.loops = new Chart('Loop lag', 'landmark-hour', { unit: lag });
    this.levels = new Chart('Levels, in percent of the limit at which they fail', 'landmark-hour', { unit: v => `${number(v)} %` });
    root.append(this.none, this.weight.root, this.loops.root, this.levels.root);
    this.all = [this.weight, this.loops, this.levels];
    new ResizeObserver(() => this.all.forEach(c => c.resize())).observe(root);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.all.forEach(c => c.rebuild()));
    this.clear();
  }

  clear() {
    show(this.none, true);
    this.all.forEach(c => c.clear());
  }

  set(event) {
    show(this.none, event.weight.length === 0);
    const times = event.weight.map((_, i) => wall(event.end - (event.weight.length - 1 - i) * event.step) / 1000);
    this.weight.set(times, [{ name: 'weight', values: event.weight, shown: v => v === null ? '–' : `${v} %` }]);
    this.loops.set(times, (event.loops || []).map(s => ({ name: s.name, values: s.values, shown: lag, limit: s.limit })));
    this.levels.set(times, (event.levels || []).map(s => ({ name: s.name, values: s.shares, raw: s.values, shown: number, limit: 100 })));
  }
}

class Chart {
  constructor(title, group, options) {
    Object.assign(this, { title, group, options });
    this.caption = el('figcaption', null, title);
    this.box = el('div', { class: 'plot', 'aria-hidden': 'true' });
    this.says = el('span', { class: 'hidden' });
    this.caption.append(this.says);
    this.root = el('figure', null, this.caption, this.box);
  }

  clear() {
    if (this.plot) this.plot.destroy();
    this.plot = null;
    this.names = '';
    show(this.root, false);
  }

  set(times, series) {
    if (!series.length) {
      this.clear();
      return;
    }
    this.times = times;
    this.series = series;
    show(this.root, true);
    const latest = s => s.shown((s.raw || s.values).at(-1));
    this.says.textContent = ': ' + series.map(s => `${s.name} ${latest(s)} now`).join(', ');
    const names = series.map(s => s.name).join('\n');
    if (this.plot && names === this.names) {
      this.plot.setData(this.data());
      this.plot.setScale('x', this.range());
      return;
    }
    this.names = names;
    this.rebuild();
  }

  data() { return [this.times, ...this.series.map(s => s.values)]; }

  // range is always the whole hour, so that the plots of two services look alike.
  range() {
    const end = this.times.at(-1) || 0;
    return { min: end - 3600, max: end };
  }

  rebuild() {
    if (!this.series || this.root.hidden) return;
    if (this.plot) this.plot.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = name => style.getPropertyValue(name).trim();
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
    const narrow = this.box.clientWidth < 420;
    this.plot = new uPlot({
      width: Math.max(200, this.box.clientWidth),
      height,
      padding: [6, 18, 0, 0],
      cursor: { sync: { key: this.group }, y: false, drag: { x: false, y: false } },
      legend: { live: true },
      scales: {
        x: { time: true },
        y: { range: this.options.range || ((u, min, max) => [0, this.top(max)]) },
      },
      axes: [
        { ...axis, space: narrow ? 70 : 60, size: 24, values: (u, all) => all.map(t => clock(t * 1000).slice(-8, -3)) },
        { ...axis, size: 58, space: 28, values: (u, all) => all.map(v => this.options.unit(v)) },
      ],
      series: [
        { label: 'at', value: (u, t) => t === null ? '–' : clock(t * 1000) },
        ...this.series.map((s, i) => ({
          label: s.name, stroke: colour(colours[i % colours.length]), dash: dashes[i % dashes.length], width: 1.5,
          points: { show: this.times.length < 3 }, spanGaps: false,
          value: (u, v, n, at) => {
            const one = this.series[i];
            return one.shown(at === null || at === undefined ? (one.raw || one.values).at(-1) : (one.raw || one.values)[at]);
          },
        })),
      ],
    }, this.data(), this.box);
    this.plot.setScale('x', this.range());
  }

  // top is the upper end of the axis: with room for what was, and with the limit if that is
  // near.
  top(max) {
    const limits = this.series.map(s => s.limit).filter(l => l > 0);
    const limit = Math.min(...limits);
    return limits.length && max > limit / 4 ? Math.max(max * 1.1, limit * 1.1) : (max || 0.001) * 1.25;
  }

  resize() {
    if (this.plot && this.box.clientWidth > 0) this.plot.setSize({ width: this.box.clientWidth, height });
  }
}
