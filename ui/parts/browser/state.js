const ASKING = {
  pause: 'Asking it to pause ...', continue: 'Asking it to go on ...', resume: 'Asking it to go on ...', stop: 'Asking it to stop ...',
};
const WORDS = { pause: ['Pause', 'Alt+P'], continue: ['Go on', 'Alt+G'], resume: ['Resume', 'Alt+G'] };
export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector('.state');
  const it = root.__it || (root.__it = build(root));
  it.data = data;
  it.seen = false;
  it.changed = (status) => setTriggerValue('changed', status);
  if (window.__drywetSteer) window.removeEventListener('keydown', window.__drywetSteer);
  window.__drywetSteer = (event) => {
    if (!root.isConnected || event.repeat || !event.altKey) return;
    if ((event.code === 'KeyP' && it.next === 'pause') || (event.code === 'KeyG' && (it.next === 'continue' || it.next === 'resume'))) {
      event.preventDefault();
      it.ask(it.next);
    }
  };
  window.addEventListener('keydown', window.__drywetSteer);
  return listen(parentElement, (event, live) => {
    if (['first', 'snapshot', 'clock', 'seen'].includes(event.kind)) it.draw(live);
  });
}
function build(root) {
  const it = { next: '', status: '', asking: '', facts: new Map(), toldUntil: 0 };
  const about = make('p', 'about'), buttons = make('div', 'buttons'), told = make('p', 'told'), list = make('dl');
  // One button for pausing and going on: who has pressed it by the keyboard stays on it.
  const main = make('button', 'main'), word = make('span'), key = make('kbd'), stop = make('button', 'other', 'Stop this one');
  const track = make('div', 'track'), done = make('div', 'done');
  main.append(word, key);
  key.setAttribute('aria-hidden', 'true');
  main.type = stop.type = 'button';
  told.setAttribute('role', 'status');
  track.setAttribute('role', 'progressbar');
  track.setAttribute('aria-label', 'Steps of this run');
  buttons.append(main, stop);
  track.append(done);
  root.append(about, buttons, told, list, track);
  // The second click of a double click, or a key held down, is none of its own: it would undo the first.
  main.onclick = (event) => { if (event.detail < 2) it.ask(it.next); };
  main.onkeydown = (event) => { if (event.repeat) event.preventDefault(); };
  stop.onclick = () => it.ask('stop');
  const say = (sentence, refused) => {
    put(told, sentence);
    told.classList.toggle('refused', Boolean(refused));
    it.toldUntil = refused ? Infinity : Date.now() + 8000;
  };
  it.ask = async (what) => {
    if (it.asking || !what) return;
    it.asking = what;
    say(ASKING[what]);
    it.draw(follow());
    try {
      const asked = what === 'stop' ? { campaign: it.data.campaign } : { campaign: it.data.campaign, what, expected: it.status };
      const answer = await send(what === 'stop' ? '/live/stop' : '/live/steer', asked);
      say(answer.sentence, !answer.done);
    } catch (error) { say('The console does not answer. What the lab was doing goes on without this page.', true); }
    await follow().look(true);
    it.asking = '';
    it.draw(follow());
  };
  it.draw = (live) => {
    const mine = (one) => (one.campaign_id || one.id) === it.data.campaign;
    const one = live.snapshot && live.snapshot.live.find(mine), unfinished = live.snapshot && live.snapshot.campaigns.find(mine);
    const record = unfinished || it.data.record;
    const status = live.snapshot && !unfinished && it.seen ? 'over' : record.status;
    if (unfinished) it.seen = true;
    if (it.status && it.status !== status) it.changed(status);
    it.status = status;
    root.classList.toggle('stale', stale(live));
    const best = record.best ? ', best so far ' + record.best.candidate_id : '';
    put(about, record.workcell + ' (' + (record.twin ? 'twin' : 'REAL INSTRUMENTS') + '), ' + record.spent + ' of ' + record.budget
      + ' experiments' + best + (record.sentence ? '. ' + record.sentence : ''));
    if (Date.now() > it.toldUntil && !it.asking) say('');
    // While something is asked the button stays what it was: nobody is to press another than the one they saw.
    if (!it.asking) it.next = offered(one, status, live);
    main.hidden = !it.next;
    stop.hidden = !one;
    if (it.next) {
      const [name, keys] = WORDS[it.next];
      put(word, name);
      put(key, keys);
      main.setAttribute('aria-keyshortcuts', keys);
      main.classList.toggle('primary', it.next !== 'pause');
    }
    for (const button of [main, stop]) button.setAttribute('aria-disabled', it.asking ? 'true' : 'false');
    facts(one, status);
  };
  const offered = (one, status, live) => {
    if (!it.data.may || !live.snapshot) return '';
    if (one) return status !== 'running' ? '' : one.paused || one.pausing ? 'continue' : 'pause';
    return status === 'stopped' || status === 'held' ? 'resume' : '';
  };
  const facts = (one, status) => {
    track.hidden = !one;
    const found = !one ? [['state', status === 'running' ? 'getting ready' : status]] : [
      ['state', one.stopping ? 'stopping after this step' : one.paused ? 'paused' : one.pausing ? 'pausing after this step' : 'running'],
      ['batch', String(one.batch || '')],
      ['step', one.steps ? one.step + ' of ' + one.steps : one.step ? String(one.step) : 'between runs'],
      ['last done', one.doing], ['left of this run', one.left_s === null ? 'not known' : span(one.left_s) + ' of lab time'],
      ['real time left', one.left_s !== null && one.pace ? span(one.left_s / one.pace) : one.pace ? '' : 'as fast as it goes'],
    ];
    const names = new Set(found.filter(([, value]) => value).map(([name]) => name));
    for (const [name, value] of found) {
      if (!value) continue;
      if (!it.facts.has(name)) {
        const pair = make('div'), shown = make('dd', name === 'state' ? 'is' : '');
        pair.append(make('dt', '', name), shown);
        list.append(pair);
        it.facts.set(name, [pair, shown]);
      }
      put(it.facts.get(name)[1], value);
    }
    for (const [name, [pair]] of it.facts) pair.hidden = !names.has(name);
    if (!one) return;
    const width = one.steps ? (100 * one.step / one.steps) + '%' : '0px';
    if (done.style.width !== width) done.style.width = width;
    track.setAttribute('aria-valuenow', String(one.step));
    track.setAttribute('aria-valuemax', String(one.steps));
  };
  return it;
}
