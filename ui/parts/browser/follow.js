function follow() {
  if (window.__drywetLive) return window.__drywetLive;
  const live = { snapshot: null, at: 0, connected: false, asked: false, listeners: new Set(), log: [], source: null };
  live.tell = (event) => live.listeners.forEach((one) => { try { one(event); } catch (error) { console.error(error); } });
  let waiting = null, began = 0, asks = 0, shown = 0;
  const ask = async () => {
    const number = ++asks;
    began = Date.now();
    let found = null, connected = false;
    try {
      const answer = await fetch('/live/snapshot', { credentials: 'same-origin' });
      live.logged_out = answer.status === 401;
      if (answer.ok) { found = await answer.json(); connected = true; }
    } catch (error) { /* nobody answers: connected stays false */ }
    if (number < shown) return; // a later question was answered before
    shown = number;
    live.connected = connected;
    if (found) { live.snapshot = found; live.at = Date.now(); }
    live.asked = true;
    live.tell({ kind: 'snapshot' });
  };
  // Events come in bunches: twice a second is asked how things stand; at once where somebody has just done something.
  live.look = (now) => {
    if (now) { clearTimeout(waiting); waiting = null; return ask(); }
    if (waiting || document.hidden) return null;
    waiting = setTimeout(() => { waiting = null; ask(); }, Math.max(0, 500 - (Date.now() - began)));
    return null;
  };
  live.connect = () => {
    if (live.source) live.source.close();
    const source = new EventSource('/live/events');
    live.source = source;
    source.addEventListener('snapshot', () => live.look());
    for (const kind of ['campaign', 'steering', 'batch', 'run', 'step', 'fault', 'results', 'approval', 'submission', 'notice', 'other']) {
      source.addEventListener(kind, (event) => {
        const told = { kind, id: event.lastEventId, at: Date.now(), body: JSON.parse(event.data) };
        live.log.push(told);
        if (live.log.length > 500) live.log.shift();
        live.tell(told);
        live.look();
      });
    }
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED && !live.logged_out) setTimeout(live.connect, 2000);
    };
  };
  // No event tells when a lane has come to rest, so that is asked for while one is on its way there.
  const coming = () => live.snapshot && live.snapshot.live.some((one) => (one.pausing && !one.paused) || one.stopping);
  live.connect();
  live.look(true);
  setInterval(() => {
    if (document.hidden) return;
    if (Date.now() - live.at > (coming() ? 900 : 4000) && !live.logged_out) live.look();
    live.tell({ kind: 'clock' });
  }, 1000);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !live.logged_out) { live.look(true); live.tell({ kind: 'seen' }); }
  });
  window.__drywetLive = live;
  return live;
}
function stale(live) {
  return live.asked && (!live.connected || Date.now() - live.at > 10000);
}
function make(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
function span(seconds) {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < 90) return Math.round(seconds) + ' s';
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return minutes + ' min';
  return Math.floor(minutes / 60) + ' h ' + String(minutes % 60).padStart(2, '0') + ' min';
}
async function send(address, body) {
  const answer = await fetch(address, {
    method: 'POST', credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', 'X-Drywet': 'console' }, body: JSON.stringify(body),
  });
  const said = await answer.json();
  return { done: answer.ok, sentence: [said.sentence || 'Refused: ' + answer.status, said.way_out].filter(Boolean).join(' ') };
}
function listen(parent, listener) {
  const live = follow();
  if (parent.__drywetEnd) parent.__drywetEnd(); // drawn anew with other data
  const one = (event) => {
    if (!parent.isConnected && !(parent.host && parent.host.isConnected)) { live.listeners.delete(one); return; }
    listener(event, live);
  };
  live.listeners.add(one);
  parent.__drywetEnd = () => live.listeners.delete(one);
  one({ kind: 'first' });
  return parent.__drywetEnd;
}
// What a route tells, asked for when something of these kinds happens, and drawn where it says something new.
function watch(parent, root, address, kinds, draw) {
  let asked = 0, waiting = null, last = '';
  const look = async () => {
    asked = Date.now(); waiting = null;
    try {
      const answer = await fetch(address, { credentials: 'same-origin' });
      if (!answer.ok) return;
      const told = await answer.text();
      if (told === last) return;
      last = told;
      draw(JSON.parse(told));
    } catch (error) { /* the bar says that nobody answers */ }
  };
  return listen(parent, (event, live) => {
    root.classList.toggle('stale', stale(live));
    const late = event.kind === 'clock' && Date.now() - asked > 5000;
    if (waiting || document.hidden || !(late || kinds.includes(event.kind))) return;
    waiting = setTimeout(look, Math.max(0, 1000 - (Date.now() - asked)));
  });
}
