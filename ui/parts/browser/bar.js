export default function (component) {
  const { data } = component;
  stayHere();
  // In the page itself: within Streamlit's own boxes the sidebar and dialogs would cover it.
  let host = document.getElementById('drywet-bar');
  if (!host) {
    host = document.createElement('div');
    host.id = 'drywet-bar';
    host.attachShadow({ mode: 'open' });
    document.body.append(host);
  }
  const shadow = host.shadowRoot;
  shadow.textContent = '';
  const style = make('style', '', data.css), root = make('div', 'bar');
  root.setAttribute('role', 'region');
  shadow.append(style, root);
  if (window.__drywetBar) window.__drywetBar();
  const kind = make('span', 'kind', ''), what = make('span', 'what', ''), age = make('span', 'age', '');
  const stop = make('button', 'stop', 'Stop'), now = make('button', 'now', 'Stop at once');
  stop.title = 'After the step under way (Alt+S)';
  now.title = 'Breaks the step under way off; a second click within five seconds confirms';
  const buttons = make('span', 'buttons');
  buttons.append(stop, now);
  root.append(kind, what, age, buttons);
  root.setAttribute('aria-label', 'What runs, and stopping');
  let said = '', saidAt = 0, armed = 0;
  const say = (sentence) => { said = sentence; saidAt = Date.now(); draw({}, follow()); };
  const order = async (atOnce) => {
    say(atOnce ? 'Stopping at once ...' : 'Stopping ...');
    try {
      say((await send('/live/stop', { now: atOnce })).sentence);
    } catch (error) { say('The console does not answer. On the machine of the service: drywet stop --now'); }
    follow().look(true);
  };
  stop.onclick = () => order(false);
  now.onclick = () => {
    if (Date.now() - armed < 5000) { armed = 0; now.textContent = 'Stop at once'; order(true); return; }
    armed = Date.now();
    now.textContent = 'Click again to stop at once';
  };
  const key = (event) => { if (event.altKey && event.code === 'KeyS') { event.preventDefault(); order(false); } };
  window.removeEventListener('keydown', window.__drywetKey);
  window.__drywetKey = key;
  window.addEventListener('keydown', key);
  function draw(event, live) {
    if (armed && Date.now() - armed > 5000) { armed = 0; now.textContent = 'Stop at once'; }
    const running = live.snapshot ? live.snapshot.live : [];
    const real = running.some((one) => !one.twin), twin = running.some((one) => one.twin);
    const old = (Date.now() - live.at) / 1000;
    root.classList.toggle('real', real);
    root.classList.toggle('twin', twin && !real);
    root.classList.toggle('stale', !live.connected || old > 5);
    if (!data.logged_in) { put(kind, 'DRYWET'); put(what, said || 'Nobody is logged in here.'); put(age, ''); return; }
    put(kind, !live.snapshot ? 'NOT KNOWN' : real && twin ? 'REAL + TWIN' : real ? 'REAL INSTRUMENTS' : twin ? 'TWIN' : 'NOTHING RUNS');
    const stand = (one) => one.paused ? ' (paused)' : one.pausing ? ' (pausing)' : one.stopping ? ' (stopping)'
      : running.length === 1 && one.steps ? ', batch ' + one.batch + ', step ' + one.step + ' of ' + one.steps : '';
    const names = running.map((one) => one.name + stand(one));
    const more = names.length > 2 ? names.slice(0, 2).join(', ') + ' and ' + (names.length - 2) + ' more' : names.join(', ');
    put(what, Date.now() - saidAt < 8000 ? said : more);
    if (what.title !== what.textContent) what.title = what.textContent;
    if (live.logged_out) put(age, 'your login has ended: load the page again');
    else if (!live.snapshot) put(age, live.asked ? 'no answer from the service' : 'asking the service');
    else if (!live.connected) put(age, 'no answer from the service; as of ' + span(old) + ' ago');
    else put(age, old > 5 ? span(old) + ' old' : 'up to date');
  }
  window.__drywetBar = listen(shadow, draw);
}
