export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector('.log');
  let last = 0, waiting = null;
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
    const fresh = live.log.filter((told) => told.number > last && told.body.campaign_id === data.campaign).slice(-100);
    if (!fresh.length) return;
    if (!last) root.textContent = '';
    last = fresh[fresh.length - 1].number;
    for (const told of fresh) {
      const line = make('div', 'line ' + told.kind);
      const at = told.body.lab_time_s;
      line.append(make('time', '', at === undefined || at === null ? '' : span(at)), make('span', '', words(told)));
      root.prepend(line);
    }
    while (root.childElementCount > 100) root.lastElementChild.remove();
  }
  root.textContent = '';
  root.append(make('p', 'none', 'Nothing has happened since this page was opened. What was before stands below.'));
  return listen(parentElement, (event, live) => {
    if (event.kind === 'first') draw(live);
    else if (event.kind !== 'clock' && event.kind !== 'snapshot' && !waiting && !document.hidden) waiting = setTimeout(draw, 250, live);
  });
}
