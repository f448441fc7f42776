// Words, times and elements.

// duration writes milliseconds as landmark's other tools do, such as "3.2 s".
export function duration(ms) {
  ms = Math.max(0, ms);
  if (ms < 1000) return `${Math.floor(ms)} ms`;
  const s = ms / 1000;
  if (s < 59.95) return `${Math.round(s * 10) / 10} s`;
  const whole = Math.max(60, Math.floor(s));
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole % 86400 / 3600)} h`;
}

// ticking writes a duration that grows, in whole seconds.
export function ticking(ms) {
  return duration(ms < 60000 ? Math.max(0, Math.floor(ms / 1000)) * 1000 || Math.max(0, ms) : ms);
}

const two = n => String(n).padStart(2, '0');

// clock writes a time of day, with its date if that is not today's.
export function clock(wall) {
  const t = new Date(wall), now = new Date();
  const time = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
  return t.toDateString() === now.toDateString() ? time : `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${time}`;
}

// hour writes a full hour.
export const hour = wall => `${two(new Date(wall).getHours())}:00`;

// verdict says in words what a row's class is.
export function verdict(row) {
  switch (row.class) {
    case 1: return 'Serving';
    case 2: return `Serving at ${row.weight} %`;
    case 3: return row.cause[0].toUpperCase() + row.cause.slice(1);
  }
  return 'Not serving';
}

// el makes an element. Attributes that are null or false are left out.
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// svg makes an SVG element.
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(e, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) attribute(e, name, value);
  e.append(...children.filter(c => c !== null && c !== undefined && c !== false));
  return e;
}

// attribute sets an attribute if it differs.
export function attribute(e, name, value) {
  if (value === null || value === undefined || value === false) e.removeAttribute(name);
  else if (e.getAttribute(name) !== String(value)) e.setAttribute(name, value);
}

// write sets the text of an element if it differs, so that a selection stays.
export function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// show hides or shows an element.
export function show(e, visible) {
  if (e.hidden === visible) e.hidden = !visible;
}

// patch makes the children of parent those of the items, in their order. It keeps the
// element of an item with the same key, so that focus and selection stay. Each element has
// an update function, which make returns with it.
export function patch(parent, items, key, make) {
  const kept = parent.kept || (parent.kept = new Map());
  const counts = new Map();
  const keyed = items.map(item => {
    const k = key(item), n = counts.get(k) || 0;
    counts.set(k, n + 1);
    return [n ? `${k}/${n}` : k, item]; // two may have the same name
  });
  const wanted = new Set(keyed.map(([k]) => k));
  for (const [k, child] of kept) {
    if (!wanted.has(k)) {
      child.element.remove();
      kept.delete(k);
    }
  }
  let at = parent.firstElementChild;
  for (const [k, item] of keyed) {
    let child = kept.get(k);
    if (!child) {
      child = make(item);
      kept.set(k, child);
    }
    child.update(item);
    if (child.element === at) at = at.nextElementSibling;
    else parent.insertBefore(child.element, at);
  }
}
