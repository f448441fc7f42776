// One service, whole.

import { drawAxis, drawBand } from './band.js';
import { Charts } from './chart.js';
import { attribute, clock, duration, el, patch, show, svg, ticking, verdict, write } from './text.js';
import { now, wall } from './time.js';

const bandHeight = 26, axisHeight = 20;

export class Detail {
  constructor() {
    this.root = document.getElementById('detail');
    this.name = el('h2', { id: 'detail-name', tabindex: '-1' });
    this.pill = el('span', { class: 'pill' });
    this.age = el('span', { class: 'muted' });
    this.reason = el('p', { class: 'reason' });
    this.doing = el('ul', { class: 'doing', 'aria-label': 'What it was doing' });
    this.drained = el('p', { class: 'notice', hidden: '' }, 'Drained by an operator, until landmark resume.');
    this.verdicts = el('ul', { class: 'verdicts', 'aria-label': 'Verdicts' });
    this.facts = el('p', { class: 'muted' });
    this.landmarks = el('ul', { class: 'landmarks' });
    this.moreLandmarks = el('p', { class: 'muted', hidden: '' });
    this.instances = el('tbody');
    this.moreInstances = el('p', { class: 'muted', hidden: '' });
    this.checkers = el('tbody');
    this.band = svg('svg', { class: 'band tall', preserveAspectRatio: 'none', role: 'img', 'aria-label': 'the last day; the list below has the same' });
    this.axis = svg('svg', { preserveAspectRatio: 'none' });
    this.changes = el('ol', { class: 'changes' });
    this.earlierTitle = el('h4', null, 'Before landmarkd was restarted, by its journal');
    this.earlier = el('ol', { class: 'changes earlier' });
    this.noChange = el('p', { class: 'muted' }, 'Nothing has changed since landmarkd started.');
    this.before = [];
    this.past = [];
    this.charts = new Charts(el('div', { class: 'charts' }));
    const table = (heads, body) => el('div', { class: 'scroll' }, el('table', null, el('thead', null, el('tr', null, ...heads.map(h => el('th', { scope: 'col' }, h)))), body));
    const section = (title, ...children) => el('section', { 'aria-label': title }, el('h3', null, title), ...children);
    this.sections = {
      landmarks: section('Landmarks', this.landmarks, this.moreLandmarks),
      hour: section('Last hour', this.charts.root),
      past: section('Last day', el('div', { class: 'axis', 'aria-hidden': 'true' }, this.axis), this.band, this.changes, this.noChange, this.earlierTitle, this.earlier),
      instances: section('Instances', table(['Instance', 'State', 'Last report', 'Says'], this.instances), this.moreInstances),
      checkers: section('Checkers', table(['Checker', 'By', 'Rate', 'Total', 'Last check'], this.checkers)),
    };
    this.content = el('div', null, this.drained, this.verdicts, this.facts, ...Object.values(this.sections));
    this.unknown = el('p', { class: 'notice', hidden: '' }, 'No program has reported a service of this name, and it is not configured. Compare the name with those of all services, and check that the program runs and finds this landmarkd’s socket.');
    this.root.append(
      el('p', { class: 'back' }, el('a', { href: '/', id: 'back' }, '← All services')),
      el('header', null, this.name, this.pill, this.age), this.reason, this.doing, this.unknown, this.content);
    this.band.addEventListener('click', e => {
      const a = e.target.closest('a');
      if (!a) return;
      e.preventDefault();
      this.openChange(Number(a.getAttribute('href').slice('#change-'.length)));
    });
    new ResizeObserver(() => this.drawPast()).observe(this.root);
    setInterval(() => this.tick(), 1000);
  }

  // clear shows a service of which nothing is known yet.
  clear(name, change) {
    if (this.service === name) {
      if (change) this.openChange(change);
      return;
    }
    this.service = name;
    this.wanted = change;
    this.data = null;
    this.past = [];
    this.setEarlier({ name, changes: [] });
    write(this.name, name);
    for (const e of [this.pill, this.age, this.reason]) write(e, '');
    for (const e of [this.content, this.unknown, this.doing]) show(e, false);
    this.charts.clear();
    show(this.root, true);
  }

  state(data) {
    if (data.name !== this.service) return;
    this.data = data;
    show(this.content, data.known || this.before.length > 0);
    show(this.unknown, !data.known);
    for (const e of [this.pill, this.age, this.reason, this.verdicts, this.facts, this.sections.hour, this.sections.checkers]) show(e, data.known);
    if (!data.known) {
      for (const e of [this.drained, this.sections.landmarks, this.sections.instances]) show(e, false);
      return;
    }
    const ready = data.verdicts[0];
    attribute(this.pill, 'class', 'pill c' + data.class);
    write(this.pill, verdict({ ...ready, class: data.class }));
    let reason = ready.cause && data.class === 4 ? `${ready.cause}${data.reason ? ': ' + data.reason : ''}` : data.reason || '';
    write(this.reason, reason);
    show(this.reason, reason !== '');
    attribute(this.reason, 'class', 'reason c' + data.class);
    show(this.drained, !!data.drained);
    patch(this.verdicts, data.verdicts, v => v.aspect, makeVerdict);
    write(this.facts, `The facts are ${duration(data.factsAge)} old.`);
    patch(this.landmarks, data.landmarks || [], l => l.name + '/' + l.kind, makeLandmark);
    more(this.moreLandmarks, data.moreLandmarks, 'none of them worse');
    show(this.sections.landmarks, !!data.landmarks);
    patch(this.instances, data.instances || [], i => i.name, makeInstance);
    more(this.moreInstances, data.moreInstances, 'those that are not ready are shown first');
    show(this.sections.instances, !!data.instances);
    patch(this.checkers, checkers(data), c => c.key, makeChecker);
    this.tick();
  }

  setPast(event) {
    if (event.name !== this.service) return;
    this.past = event.changes;
    patchChanges(this.changes, this.past, event.name, false);
    show(this.noChange, this.past.length === 0);
    const latest = this.past.at(-1);
    const doing = latest && latest.class === 4 && latest.evidence || [];
    this.doing.replaceChildren(...doing.map(e => el('li', null, e.summary)));
    show(this.doing, doing.length > 0);
    this.drawPast();
    if (this.wanted) this.openChange(this.wanted);
  }

  // setEarlier shows what earlier landmarkds have seen.
  setEarlier(event) {
    if (event.name !== this.service) return;
    this.before = event.changes;
    patchChanges(this.earlier, this.before, event.name, true);
    show(this.earlierTitle, this.before.length > 0);
    this.drawPast();
  }

  plot(event) {
    if (event.name === this.service) this.charts.set(event);
  }

  drawPast() {
    const width = this.band.getBoundingClientRect().width;
    if (width <= 0) return;
    drawAxis(this.axis, width, axisHeight);
    const changes = [...this.before.map(c => [c.since, c.class, 1]), ...this.past.map(c => [c.since, c.class])];
    drawBand(this.band, changes, width, bandHeight, since => `#change-${since}`);
  }

  // openChange shows the facts of a change.
  openChange(since) {
    for (const [at, child] of [...(this.changes.kept || []), ...(this.earlier.kept || [])]) {
      if (Math.abs(at - since) >= 5) continue;
      this.wanted = null;
      child.element.firstElementChild.open = true;
      child.element.scrollIntoView({ block: 'nearest' });
      child.element.querySelector('summary').focus({ preventScroll: true });
    }
  }

  tick() {
    if (!this.data || !this.data.known) return;
    write(this.age, `for ${ticking(now() - this.data.verdicts[0].since)}, since ${clock(wall(this.data.verdicts[0].since))}`);
    for (const child of (this.verdicts.kept || new Map()).values()) child.tick();
    const latest = this.changes.firstElementChild;
    if (latest) latest.tick();
    if (Math.floor(performance.now() / 10000) !== this.drawn) {
      this.drawn = Math.floor(performance.now() / 10000);
      this.drawPast();
    }
  }
}

// more says how many there are that are not shown.
function more(element, n, which) {
  write(element, n ? `${n} more, ${which}` : '');
  show(element, !!n);
}

const capital = text => text[0].toUpperCase() + text.slice(1);

function makeVerdict() {
  const sign = el('span', { class: 'sign', 'aria-hidden': 'true' }), text = el('b'), age = el('span', { class: 'muted' });
  let data;
  const child = {
    element: el('li', null, sign, text, age),
    update(v) {
      data = v;
      attribute(sign, 'class', 'sign c' + v.class);
      const says = v.class === 1 ? 'serving' : v.class === 2 ? `serving at ${v.weight} %` : v.cause || 'not serving';
      write(text, `${capital(v.aspect)}: ${says}`);
      attribute(child.element, 'title', v.reason || null);
      child.tick();
    },
    tick() { write(age, `for ${ticking(now() - data.since)}`); },
  };
  return child;
}

// limitAt is where in the width of a bar the limit is; what exceeds it has the rest.
const limitAt = 80;

function makeLandmark() {
  const name = el('b'), kind = el('span', { class: 'muted' }), state = el('span', { class: 'state' });
  const level = svg('rect', { x: 0, y: 2, height: 6, rx: 0 });
  const mark = svg('line', { class: 'mark', y1: 1, y2: 9 });
  const bar = svg('svg', { class: 'meter', viewBox: '0 0 100 10', preserveAspectRatio: 'none', role: 'img' },
    svg('rect', { class: 'track', x: 0, y: 2, width: 100, height: 6 }), level, mark,
    svg('line', { class: 'limit', x1: limitAt, x2: limitAt, y1: 0, y2: 10 }));
  const fact = el('span', { class: 'fact' }), limit = el('span', { class: 'muted' });
  const element = el('li', null, el('div', { class: 'what' }, name, kind), bar, state, el('div', { class: 'how' }, fact, limit));
  return {
    element,
    update(l) {
      attribute(element, 'class', 's' + l.state);
      write(name, l.name);
      write(kind, `${l.kind}, ${l.impact}`);
      write(state, l.says);
      write(fact, l.fact);
      write(limit, l.limit || '');
      attribute(level, 'width', Math.min(100, l.fill * limitAt).toFixed(1));
      attribute(mark, 'x1', (l.mark || 0) * limitAt);
      attribute(mark, 'x2', (l.mark || 0) * limitAt);
      attribute(mark, 'visibility', l.mark ? 'visible' : 'hidden');
      attribute(bar, 'aria-label', `at ${Math.round(l.fill * 100)} % of its limit`);
    },
  };
}

function makeInstance() {
  const name = el('th', { scope: 'row' }), sign = el('span', { class: 'sign', 'aria-hidden': 'true' }), says = el('span'), age = el('td'), text = el('td');
  return {
    element: el('tr', null, name, el('td', null, sign, says), age, text),
    update(i) {
      write(name, i.name);
      attribute(sign, 'class', 'sign c' + i.class);
      write(says, ' ' + i.says + (i.counts ? '' : ', does not count'));
      write(age, i.age ? i.age + ' ago' : '');
      write(text, i.text || '');
    },
  };
}

// checkers returns the checkers, BFD sessions and the gate as rows of one table.
function checkers(data) {
  const rows = (data.checkers || []).map(c => ({
    key: c.address + '/' + c.by, cells: [c.address, c.by, c.rate, String(c.total), (c.silent ? '✕ ' : '') + c.last], bad: c.silent,
  }));
  for (const s of data.sessions || []) {
    rows.push({ key: 'bfd/' + s.peer + s.name, cells: [s.peer, 'bfd', '', '', `${s.silent ? '✕ silent' : s.up ? 'up' : 'down'} for ${s.age}${s.reason ? ': ' + s.reason : ''}`], bad: s.silent });
  }
  if (data.gate) {
    const g = data.gate;
    rows.push({ key: 'gate', cells: [g.address, 'gate', '', '', g.problem ? '✕ ' + g.problem : `${g.open ? 'open' : 'closed'} for ${g.age}, follows ${g.name}`], bad: !!g.problem });
  }
  if (!rows.length) rows.push({ key: 'none', cells: ['No checker has checked it in the last day, or since landmarkd started.'], span: 5, bad: false });
  return rows;
}

function makeChecker(row) {
  const cells = row.cells.map((_, i) => el(i ? 'td' : 'th', i ? null : { scope: row.span ? null : 'row', colspan: row.span || null }));
  const element = el('tr', null, ...cells);
  return {
    element,
    update(r) {
      r.cells.forEach((text, i) => write(cells[i], text));
      attribute(element, 'class', r.bad ? 'bad' : null);
    },
  };
}

// patchChanges shows the changes, the latest first. How long the last one lasted that an
// earlier landmarkd has seen is not known.
function patchChanges(list, changes, service, earlier) {
  const latestFirst = changes.map((c, i) => ({ ...c, service, earlier, until: i + 1 < changes.length ? changes[i + 1].since : null })).reverse();
  // Another composing of the same change may date it a millisecond apart.
  const key = c => [...(list.kept || new Map()).keys()].find(k => Math.abs(k - c.since) < 5) ?? c.since;
  patch(list, latestFirst, key, makeChange);
}

function makeChange(change) {
  const sign = el('span', { class: 'sign', 'aria-hidden': 'true' }), time = el('time'), says = el('b'), lasted = el('span', { class: 'muted' }), reason = el('span', { class: 'why' }), did = el('span', { class: 'why did' });
  const facts = el('ul', { class: 'facts' }), evidence = el('div', { class: 'evidence' });
  const summary = el('summary', null, sign, time, says, lasted, reason, did);
  const details = el('details', null, summary, facts, evidence);
  const element = el('li', { id: 'change-' + change.since }, details);
  let data;
  element.tick = () => write(lasted, data.until ? `for ${duration(data.until - data.since)}` : data.earlier ? 'until landmarkd ended' : `for ${ticking(now() - data.since)} so far`);
  return {
    element,
    update(c) {
      data = c;
      attribute(sign, 'class', 'sign c' + c.class);
      write(time, clock(wall(c.since)));
      attribute(time, 'datetime', new Date(wall(c.since)).toISOString());
      let text = verdict({ ...c, cause: c.cause || 'serving' });
      if (c.class === 4 && c.cause) text += ', ' + c.cause;
      if (!c.alive && c.class < 4) text += ', not alive';
      write(says, text);
      write(reason, c.reason || '');
      write(did, (c.evidence || []).filter(e => !e.alone).map(e => e.summary).join(' · '));
      element.tick();
      facts.replaceChildren(...(c.landmarks || []).map(l =>
        el('li', null, el('b', null, `${l.name} `), el('span', { class: 'muted' }, `${l.kind}, ${l.impact} `), el('span', { class: 'state s' + l.state }, l.says), `: ${l.fact}${l.limit ? ', ' + l.limit : ''}`)));
      if (!(c.landmarks || []).length) facts.append(el('li', { class: 'muted' }, c.class === 1 ? 'All landmarks were healthy.' : 'No landmark was failing by its last report.'));
      drawEvidence(evidence, c.service, c);
    },
  };
}

// drawEvidence shows what the process was doing. What is there already stays, so that a
// reader keeps the place. The text is fetched when it is opened.
function drawEvidence(root, service, change) {
  patch(root, change.evidence || [], e => e.number, e => {
    const text = el('pre', { tabindex: '0' });
    const details = el('details', null, el('summary', null, 'Details'), text);
    const says = el('p'), from = el('p', { class: 'muted' });
    details.addEventListener('toggle', async () => {
      if (!details.open || text.textContent) return;
      try {
        const answer = await fetch(`/evidence/${encodeURIComponent(service)}/${e.number}`);
        write(text, await answer.text());
      } catch {
        write(from, 'It cannot be fetched: landmarkd does not answer.');
        details.open = false;
      }
    });
    return {
      element: el('div', null, says, from, details),
      update(v) {
        write(says, v.summary);
        write(from, v.alone ? `${clock(wall(v.at))}, ${v.from}` : v.from);
        show(details, !!v.text);
      },
    };
  });
  if (change.withheld && !root.childElementCount) {
    root.append(el('p', { class: 'muted' }, 'What the process was doing is shown only to clients on landmarkd’s machine, and to those with a certificate or a user of -web-config.'));
  }
}
