export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector('.log');
  let before = null, waiting = null, seen = new Set();
  const words = (told) => {
    const it = told.body;
    if (told.kind === 'step') return it.device + ' ' + it.action.replaceAll('_', ' ') + (it.replayed ? ' (done before)' : '');
    if (told.kind === 'fault') return it.sentence;
    if (told.kind === 'run') return 'Run of batch ' + it.batch + ' begins' + (it.steps ? ': ' + it.steps + ' steps' : '');
    if (told.kind === 'batch') return 'Batch ' + it.batch + ' proposed: ' + it.experiments + ' experiments';
    if (told.kind === 'results') return 'Batch ' + it.batch + ' measured; ' + it.spent + ' experiments spent';
    if (told.kind === 'campaign') return it.sentence || 'The campaign is ' + it.status;
    return it.sentence || told.kind;
  };
  function draw(live) {
    waiting = null;
    if (!before) return;
    const heard = live.log.filter((told) => told.body.campaign_id === data.campaign);
    const fresh = [...new Map([...before, ...heard].map((told) => [told.id, told])).values()].filter((told) => !seen.has(told.id));
    before = [];
    seen = new Set(heard.map((told) => told.id)); // only what is still kept can be met again
    if (fresh.length) root.querySelector('.none')?.remove();
    for (const told of fresh.slice(-100)) {
      const line = make('div', 'line ' + told.kind);
      const at = told.body.lab_time_s;
      line.append(make('time', '', at === undefined || at === null ? '' : span(at)), make('span', '', words(told)));
      root.prepend(line);
    }
    while (root.childElementCount > 100) root.lastElementChild.remove();
  }
  root.textContent = '';
  root.append(make('p', 'none', 'Nothing has happened since the lab service began. What was before stands below.'));
  const look = async (live) => {
    try {
      const answer = await fetch('/live/log/' + data.campaign, { credentials: 'same-origin' });
      before = answer.ok ? await answer.json() : [];
    } catch (error) { before = []; } // the bar says that nobody answers
    draw(live);
  };
  return listen(parentElement, (event, live) => {
    if (event.kind === 'first') look(live);
    else if (event.kind !== 'clock' && event.kind !== 'snapshot' && !waiting && !document.hidden) waiting = setTimeout(draw, 250, live);
  });
}
