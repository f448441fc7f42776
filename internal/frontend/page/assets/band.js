// A band: the last day of a service as a strip of colour. Colour is not the only sign: what
// is not serving is higher than what is.

import { attribute, clock, duration, hour, svg } from './text.js';
import { now, wall } from './time.js';

export const day = 24 * 3600 * 1000;
const shortest = 3; // px, so that a hang of a second can be seen and clicked

const words = { 0: 'not known', 1: 'serving', 2: 'serving at a lower weight', 3: 'out on purpose, or starting', 4: 'not serving' };
const heights = { 0: 2, 1: 5, 2: 7, 3: 7, 4: 10 }; // of 10

// drawBand draws the changes [[since, class, earlier], …] into an SVG element of that width and
// height. link returns the address of a change, or null.
export function drawBand(target, changes, width, height, link) {
  const end = now(), begin = end - day;
  attribute(target, 'viewBox', `0 0 ${width} ${height}`);
  const x = at => Math.max(0, (at - begin) / day * width);
  const segments = changes.map(([since, c, earlier], i) => ({ since, c, earlier, until: i + 1 < changes.length ? changes[i + 1][0] : end }))
    .filter(s => s.until > begin);
  if (!segments.length || segments[0].since > begin) segments.unshift({ since: begin, c: 0, until: segments.length ? segments[0].since : end });
  const shapes = segments.map(s => {
    const from = x(s.since), h = heights[s.c] / 10 * height;
    const w = Math.max(x(s.until) - from, s.c > 1 ? shortest : 0.5);
    const shape = svg('rect', { class: s.earlier ? `c${s.c} earlier` : `c${s.c}`, x: Math.min(from, width - w).toFixed(1), y: (height - h).toFixed(1), width: w.toFixed(1), height: h.toFixed(1) });
    const known = s.c > 0;
    const title = known
      ? `${words[s.c]} from ${clock(wall(s.since))}, for ${duration(s.until - s.since)}${s.earlier ? ', by the journal of an earlier landmarkd' : ''}` : 'before landmarkd started, or longer ago than it keeps changes';
    shape.append(svg('title', null, title));
    const href = known && link(s.since);
    return { c: s.c, shape: href ? svg('a', { href, tabindex: '-1', 'aria-label': title }, shape) : shape };
  });
  shapes.sort((a, b) => a.c - b.c); // the worst on top
  target.replaceChildren(...shapes.map(s => s.shape));
}

// drawAxis draws the hours of the last day into an SVG element of that width.
export function drawAxis(target, width, height) {
  const end = now(), begin = end - day;
  attribute(target, 'viewBox', `0 0 ${width} ${height}`);
  const step = width < 420 ? 6 : 3;
  const marks = [];
  const first = new Date(wall(begin));
  first.setMinutes(0, 0, 0);
  for (let t = first.getTime() + 3600000; t < wall(end); t += 3600000) {
    if (new Date(t).getHours() % step) continue;
    const x = (t - wall(begin)) / day * width;
    if (x < 18 || x > width - 34) continue;
    marks.push(svg('line', { x1: x.toFixed(1), x2: x.toFixed(1), y1: height - 4, y2: height }));
    marks.push(svg('text', { x: x.toFixed(1), y: height - 7, 'text-anchor': 'middle' }, hour(t)));
  }
  marks.push(svg('text', { x: width, y: height - 7, 'text-anchor': 'end' }, 'now'));
  target.replaceChildren(...marks);
}
