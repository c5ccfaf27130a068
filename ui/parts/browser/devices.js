export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector('.devices');
  const COLUMNS = ['instrument', 'model', 'is', 'connected', 'does now', 'held by'];
  const draw = (found) => {
    root.textContent = '';
    if (!found.length) { root.append(make('p', 'none', 'Nothing works on this bench, so its instruments are not connected.')); return; }
    const table = make('table'), head = make('tr');
    for (const name of COLUMNS) head.append(make('th', '', name));
    table.append(make('thead'), make('tbody'));
    table.tHead.append(head);
    for (const one of found) {
      const row = make('tr'), model = one.identity && one.identity.model;
      for (const value of [one.role, model, one.twin ? 'twin' : 'REAL', one.connected ? 'yes' : 'no', one.doing, one.held_by]) row.append(make('td', '', value || ''));
      table.tBodies[0].append(row);
    }
    root.append(table);
  };
  return watch(parentElement, root, '/live/devices/' + encodeURIComponent(data.bench), ['first', 'step', 'run', 'campaign', 'seen'], draw);
}
