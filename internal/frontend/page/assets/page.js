// The page: which service is shown whole, and what arrives.

import { Detail } from './detail.js';
import { Events } from './events.js';
import { List } from './list.js';
import { attribute, clock, el, patch, show, write } from './text.js';
import { synchronize, wall, now } from './time.js';

const wide = matchMedia('(min-width: 1180px)');
const summary = document.getElementById('summary'), connection = document.getElementById('connection');

let service = '';    // that is shown whole
let chosen = false;  // by the reader, not because it is the worst
let host = '';
let lastSeen = 0;    // time of day of the latest event

const list = new List(select);
const detail = new Detail();
const events = new Events({
  hello(e) {
    arrived(e, true);
    host = e.host;
    write(document.getElementById('host'), host);
    write(document.getElementById('version'), `landmarkd ${e.version}`);
  },
  services(e) {
    arrived(e);
    list.replace(e);
    changed();
  },
  changes(e) {
    arrived(e);
    list.update(e);
    changed();
  },
  bars(e) {
    arrived(e);
    list.bars(e.bars);
    others(e.others || []);
  },
  service(e) {
    arrived(e);
    detail.state(e);
  },
  past(e) {
    arrived(e);
    detail.setPast(e);
  },
  earlier(e) {
    arrived(e);
    detail.setEarlier(e);
  },
  plot(e) {
    arrived(e);
    detail.plot(e);
  },
}, lost, found);

function arrived(e, anew) {
  synchronize(e, anew);
  lastSeen = wall(now());
}

function found() {
  document.body.classList.remove('lost');
  write(connection, 'Live');
  changed();
}

// lost says that what is shown may not be true any more.
function lost() {
  document.body.classList.add('lost');
  write(connection, 'Not connected');
  write(summary, `Unknown: no connection to landmarkd since ${clock(lastSeen)}. Trying again…`);
  attribute(summary, 'class', 'c4');
  document.title = '? Landmark';
  icon('icon-unknown.svg');
}

const icon = file => attribute(document.getElementById('icon'), 'href', '/static/' + file);

// changed shows how all services are together.
function changed() {
  list.mark(service);
  follow();
  if (document.body.classList.contains('lost')) return;
  const rows = [...list.rows.values()].map(r => r.data);
  const out = rows.filter(r => r.class === 4).map(r => r.name).sort();
  const intended = rows.filter(r => r.class === 3).length;
  const silent = rows.filter(r => r.silent > 0).length;
  let text;
  if (!rows.length) text = 'There is no service.';
  else if (out.length) text = `${out.length} of ${rows.length} ${rows.length === 1 ? 'service is' : 'services'}${rows.length === 1 ? '' : out.length === 1 ? ' is' : ' are'} not serving: ${out.slice(0, 3).join(', ')}${out.length > 3 ? ', …' : ''}`;
  else if (intended) text = `No service is out by a fault; ${intended} of ${rows.length} ${intended === 1 ? 'is' : 'are'} draining or starting`;
  else text = rows.length === 1 ? `${rows[0].name} is serving` : `All ${rows.length} services are serving`;
  if (silent) text += `; ${silent === 1 ? 'a checker of one service has' : `checkers of ${silent} services have`} fallen silent`;
  write(summary, text);
  attribute(summary, 'class', out.length ? 'c4' : intended ? 'c3' : 'c1');
  document.title = `${out.length ? '✕ ' + out.length + ' out' : '✓'} · Landmark${host ? ' ' + host : ''}`;
  icon(out.length ? 'icon-out.svg' : 'icon.svg');
}

// follow shows the worst service beside the list, until the reader chooses one.
function follow() {
  if (chosen || !wide.matches) return;
  const worst = list.worst();
  if (!worst || worst.name === service) return;
  const current = list.rows.get(service);
  if (!current || current.data.class === 1 && worst.class !== 1) open(worst.name, null);
}

// open shows a service whole, "" = none, with the facts of a change if one is given.
function open(name, change) {
  const differs = name !== service;
  service = name;
  document.body.classList.toggle('chosen', chosen);
  if (name) detail.clear(name, change);
  else {
    detail.service = '';
    show(detail.root, false);
  }
  list.mark(name);
  if (differs || !events.source) events.open(name);
}

// select is the reader's choice.
function select(name, change) {
  history.pushState(null, '', '/service/' + encodeURIComponent(name) + (change ? '#' + change : ''));
  route();
  if (!change) detail.name.focus({ preventScroll: wide.matches });
}

// route shows what the address says.
function route() {
  const match = /^\/service\/([^/]+)$/.exec(location.pathname);
  const change = /^#change-(-?\d+)$/.exec(location.hash);
  chosen = !!match;
  open(match ? decodeURIComponent(match[1]) : '', change ? Number(change[1]) : null);
  if (!chosen) changed();
  if (!wide.matches) scrollTo(0, 0);
}

function home(e) {
  if (e.metaKey || e.ctrlKey || e.shiftKey || e.button) return;
  e.preventDefault();
  history.pushState(null, '', '/');
  route();
  document.getElementById('services').focus({ preventScroll: true });
}

// others shows the checkers that do not check one known service.
function others(all) {
  const root = document.getElementById('others');
  if (!root.childElementCount && all.length) {
    root.append(el('h2', null, 'Other checkers'), el('div', { class: 'scroll' }, el('table', null,
      el('thead', null, el('tr', null, ...['Checked', 'Checker', 'By', 'Rate', 'Last check'].map(h => el('th', { scope: 'col' }, h)))), el('tbody'))));
  }
  show(root, all.length > 0);
  const body = root.querySelector('tbody');
  if (body) {
    patch(body, all, c => c.name + '/' + c.address + '/' + c.by, () => {
      const cells = [el('th', { scope: 'row' }), el('td'), el('td'), el('td'), el('td')], element = el('tr', null, ...cells);
      return {
        element,
        update(c) {
          [c.unknown ? `✕ unknown: ${c.name}` : c.name || 'all services', c.address, c.by, c.rate, (c.silent ? '✕ ' : '') + c.last].forEach((t, i) => write(cells[i], t));
          attribute(element, 'class', c.unknown || c.silent ? 'bad' : null);
        },
      };
    });
  }
}

document.getElementById('home').addEventListener('click', home);
document.getElementById('back').addEventListener('click', home);
addEventListener('popstate', route);
wide.addEventListener('change', changed);
addEventListener('keydown', e => {
  if (e.key === 'Escape' && chosen) home(e);
});
setInterval(() => {
  if (lastSeen && events.connected) attribute(connection, 'title', `landmarkd’s time is ${clock(wall(now()))}`);
}, 1000);
route();
