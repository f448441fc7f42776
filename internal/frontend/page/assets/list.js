// The list of all services.

import { drawAxis, drawBand } from './band.js';
import { attribute, el, show, svg, ticking, verdict, write } from './text.js';
import { now } from './time.js';

// A bar is one of these characters: state*16 + height. They are barDigits of bar.go.
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const order = { 4: 0, 2: 1, 3: 2, 1: 3 }; // the worst first
const settle = 5000; // ms until a service that got better moves down

const axisHeight = 20, bandHeight = 12;

export class List {
  constructor(select) {
    this.select = select;
    this.root = document.getElementById('services');
    this.filter = document.getElementById('filter');
    this.axis = svg('svg', { preserveAspectRatio: 'none' });
    document.getElementById('axis').append(this.axis);
    this.rows = new Map();
    this.visible = new Set();
    this.observer = new IntersectionObserver(entries => {
      for (const e of entries) {
        if (e.isIntersecting) this.visible.add(e.target.row);
        else this.visible.delete(e.target.row);
        if (e.isIntersecting) e.target.row.draw();
      }
    }, { rootMargin: '300px' });
    this.filter.addEventListener('input', () => this.applyFilter());
    this.root.addEventListener('keydown', e => this.move(e));
    document.addEventListener('keydown', e => {
      if (e.key === '/' && e.target === document.body && !e.ctrlKey && !e.metaKey && !e.altKey) {
        e.preventDefault();
        this.filter.focus();
      }
    });
    new ResizeObserver(() => this.resize()).observe(this.root);
    setInterval(() => this.tick(), 1000);
  }

  // replace shows these services. All services come in several events, between the first
  // and the last of which others may change.
  replace(event) {
    if (event.first || !this.wanted) this.wanted = new Set(); // what an earlier landmarkd has seen may come before the first
    for (const r of event.rows) {
      this.wanted.add(r.name);
      if (this.rows.has(r.name)) this.rows.get(r.name).past = [];
    }
    this.update(event, false);
    this.bars(event.bars || {});
    if (event.last) {
      for (const name of [...this.rows.keys()]) if (!this.wanted.has(name)) this.remove(name);
      this.sort();
    }
  }

  // update shows what has changed.
  update(event, flash = true) {
    for (const data of event.rows) {
      let row = this.rows.get(data.name);
      if (!row) {
        row = new Row(this);
        this.rows.set(data.name, row);
      }
      row.set(data, flash);
      if (this.wanted) this.wanted.add(data.name);
    }
    for (const [name, past] of Object.entries(event.bands)) {
      const row = this.rows.get(name);
      if (row) row.past = row.past.concat(past).slice(-320);
    }
    for (const name of event.gone || []) this.remove(name);
    if (this.filter.value) this.applyFilter();
    for (const data of event.rows) if (this.visible.has(this.rows.get(data.name))) this.rows.get(data.name).draw();
    this.sort();
  }

  bars(all) {
    for (const [name, bars] of Object.entries(all)) {
      const row = this.rows.get(name);
      if (!row) continue;
      row.barText = bars;
      if (this.visible.has(row)) row.drawBars();
    }
  }

  remove(name) {
    const row = this.rows.get(name);
    if (!row) return;
    this.observer.unobserve(row.element);
    this.visible.delete(row);
    row.element.remove();
    this.rows.delete(name);
  }

  // sort puts the worst first. A service that got better keeps its place for a while, so
  // that the list is calm.
  sort() {
    const t = performance.now();
    for (const row of this.rows.values()) row.settle(t);
    const sorted = [...this.rows.values()].sort((a, b) =>
      a.rank - b.rank || (b.data.silent > 0) - (a.data.silent > 0) || (a.data.name < b.data.name ? -1 : 1));
    let at = this.root.firstElementChild;
    for (const row of sorted) {
      if (row.element === at) {
        at = at.nextElementSibling;
        continue;
      }
      const focused = row.element.contains(document.activeElement) ? document.activeElement : null;
      this.root.insertBefore(row.element, at);
      if (focused) focused.focus({ preventScroll: true });
      if (!row.observed) {
        row.observed = true;
        this.observer.observe(row.element);
      }
    }
    this.sorted = sorted;
    show(document.getElementById('empty'), sorted.length === 0);
    show(document.getElementById('axis'), sorted.length > 0);
    show(document.getElementById('filter-label'), sorted.length > 8);
  }

  worst() { return this.sorted && this.sorted[0] && this.sorted[0].data; }

  applyFilter() {
    const text = this.filter.value.trim().toLowerCase();
    for (const row of this.rows.values()) show(row.element, row.data.name.toLowerCase().includes(text));
  }

  // mark shows which service is shown whole.
  mark(name) {
    for (const row of this.rows.values()) attribute(row.link, 'aria-current', row.data.name === name ? 'true' : null);
  }

  // move moves the focus with the arrow keys.
  move(e) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!step) return;
    const links = [...this.root.querySelectorAll('li:not([hidden]) a.name')];
    const next = links[links.indexOf(document.activeElement) + step];
    if (next) {
      e.preventDefault();
      next.focus();
    }
  }

  resize() {
    this.drawAxis();
    for (const row of this.visible) row.drawBand();
  }

  drawAxis() {
    const width = this.axis.parentElement.clientWidth;
    if (width > 0) drawAxis(this.axis, width, axisHeight);
  }

  tick() {
    const redraw = Math.floor(performance.now() / 30000) !== this.redrawn;
    this.redrawn = Math.floor(performance.now() / 30000);
    if (redraw) this.drawAxis();
    for (const row of this.visible) {
      row.drawAge();
      if (redraw) row.drawBand();
    }
    this.sort();
  }
}

class Row {
  constructor(list) {
    Object.assign(this, { list, past: [], barText: '', rank: 99 });
    this.sign = el('span', { class: 'pill' });
    this.link = el('a', { class: 'name' });
    this.link.addEventListener('click', e => {
      if (e.metaKey || e.ctrlKey || e.shiftKey || e.button) return;
      e.preventDefault();
      list.select(this.data.name);
    });
    this.age = el('span', { class: 'age muted' });
    this.reason = el('p', { class: 'reason' });
    this.barBox = el('span', { class: 'bars', role: 'img' });
    this.weight = el('span', { class: 'weight number' });
    this.instances = el('span', { class: 'instances number' });
    this.checkers = el('span', { class: 'checkers number' });
    this.band = svg('svg', { class: 'band', preserveAspectRatio: 'none', role: 'img', 'aria-label': 'the last day' });
    this.band.addEventListener('click', e => {
      const a = e.target.closest('a');
      if (!a || e.metaKey || e.ctrlKey || e.shiftKey) return;
      e.preventDefault();
      list.select(this.data.name, a.getAttribute('href').split('#')[1]);
    });
    this.element = el('li', { class: 'service' }, this.sign, this.link, this.age, this.barBox, this.weight, this.instances, this.checkers, this.reason, this.band);
    this.element.row = this;
  }

  set(data, flash) {
    const changed = this.data && this.data.class !== data.class;
    this.data = data;
    attribute(this.element, 'data-name', data.name);
    this.element.classList.remove('c1', 'c2', 'c3', 'c4');
    this.element.classList.add('c' + data.class);
    write(this.sign, verdict(data));
    write(this.link, data.name);
    attribute(this.link, 'href', '/service/' + encodeURIComponent(data.name));
    let reason = data.cause && data.class > 2 ? `${data.cause}${data.reason ? ': ' + data.reason : ''}` : data.reason || '';
    if (data.class === 3 && data.reason) reason = data.reason;
    write(this.reason, reason);
    show(this.reason, reason !== '');
    write(this.weight, `${data.weight} %`);
    write(this.instances, data.instances === 1 && data.ready === 1 ? '1 instance' : `${data.ready} of ${data.instances} ready`);
    show(this.instances, data.instances > 0);
    this.instances.classList.toggle('bad', data.ready < data.instances);
    write(this.checkers, data.checkers === 0 ? 'no checker' : data.silent ? `✕ ${data.silent} of ${data.checkers} checkers silent` : `${data.checkers} checker${data.checkers > 1 ? 's' : ''}`);
    this.checkers.classList.toggle('bad', data.silent > 0);
    this.drawAge();
    if (changed && flash) {
      this.element.classList.remove('flash');
      void this.element.offsetWidth; // starts the animation again
      this.element.classList.add('flash');
    }
  }

  settle(t) {
    const rank = order[this.data.class];
    if (rank <= this.rank) {
      this.rank = rank;
      this.better = 0;
    } else if (!this.better) this.better = t;
    else if (t - this.better > settle) this.rank = rank;
  }

  draw() {
    this.drawAge();
    this.drawBars();
    this.drawBand();
  }

  drawAge() { write(this.age, `for ${ticking(now() - this.data.since)}`); }

  drawBars() {
    const shown = [...this.barText].map(c => digits.indexOf(c));
    while (this.barBox.childElementCount > shown.length) this.barBox.lastElementChild.remove();
    while (this.barBox.childElementCount < shown.length) this.barBox.append(el('i'));
    shown.forEach((d, i) => attribute(this.barBox.children[i], 'class', `s${d >> 4} h${d & 15}`));
    const failing = shown.filter(d => d >> 4 === 3).length;
    attribute(this.barBox, 'aria-label', `${shown.length} landmark${shown.length === 1 ? '' : 's'}, ${failing ? failing + ' failing' : 'none failing'}`);
  }

  drawBand() {
    const width = this.band.getBoundingClientRect().width;
    if (width > 0) drawBand(this.band, this.past, width, bandHeight, since => `/service/${encodeURIComponent(this.data.name)}#change-${since}`);
  }
}
