// The connection to landmarkd.

const silence = 7000;  // ms without an event after which what is shown is no longer true
const again = 5000;    // ms until a refused connection is tried again

// Events is one stream of server-sent events, which connects again by itself.
export class Events {
  // handlers are called with the data of each event by its name; lost when nothing
  // arrives, with the reason, and found when something does.
  constructor(handlers, lost, found) {
    Object.assign(this, { handlers, lost, found, service: '', source: null, last: 0, connected: false });
    setInterval(() => this.check(), 1000);
    document.addEventListener('visibilitychange', () => this.visibility());
  }

  // open connects for the events of all services and of the one that is shown whole.
  open(service) {
    this.service = service;
    this.close();
    clearTimeout(this.retry);
    this.last = performance.now();
    const source = new EventSource('/events' + (service ? '?service=' + encodeURIComponent(service) : ''));
    this.source = source;
    for (const name of Object.keys(this.handlers)) {
      source.addEventListener(name, e => {
        if (source !== this.source) return;
        this.last = performance.now();
        if (!this.connected) {
          this.connected = true;
          this.found();
        }
        this.handlers[name](JSON.parse(e.data));
      });
    }
    source.onerror = () => {
      if (source !== this.source) return;
      this.fail();
      if (source.readyState === EventSource.CLOSED) this.retry = setTimeout(() => this.open(this.service), again);
    };
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
  }

  // check finds a connection that is open and says nothing.
  check() {
    if (this.source && performance.now() - this.last > silence) {
      this.fail();
      this.open(this.service);
    }
  }

  fail() {
    if (this.connected) {
      this.connected = false;
      this.lost();
    }
  }

  // visibility ends the stream of a page that has been hidden for a minute.
  visibility() {
    clearTimeout(this.hiding);
    if (!document.hidden) {
      if (!this.source) this.open(this.service);
      return;
    }
    this.hiding = setTimeout(() => {
      this.fail();
      this.close();
    }, 60000);
  }
}
