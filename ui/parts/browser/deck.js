export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector('.deck');
  let open = false, cards = new Map();
  const plate = (item, barred) => {
    const type = item.type, grid = make('div', 'grid');
    grid.style.gridTemplateColumns = 'repeat(' + type.columns + ', 1fr)';
    const tank = type.rows * type.columns < 4;
    for (let row = 0; row < type.rows; row++) for (let column = 1; column <= type.columns; column++) {
      const name = String.fromCharCode(65 + row) + column, well = make('span', tank ? 'tank' : 'well');
      if (type.kind === 'tip_rack') {
        const there = item.tips.includes(name);
        well.classList.add(there ? 'tip' : 'gone');
        well.title = name + (there ? ': clean tip' : ': used');
      } else {
        const it = item.wells[name], volume = it ? it.volume_ul : 0;
        well.style.setProperty('--full', String(Math.min(1, type.max_volume_ul ? volume / type.max_volume_ul : 0)));
        if (volume > 0 && !tank) well.classList.add('wet');
        if (it && it.unknown_ul > 0) well.classList.add('unsure');
        const parts = it ? Object.keys(it.parts).join(', ') : '';
        well.title = name + ': ' + (volume ? volume.toFixed(1) + ' µl ' + parts : 'empty');
      }
      if (barred.has(item.id + '/' + name) || barred.has(item.id + '/*')) { well.classList.add('barred'); well.title += ' (must not be used)'; }
      grid.append(well);
    }
    return grid;
  };
  const draw = (bench) => {
    const barred = new Set(bench.barred.map(([labware, well]) => labware + '/' + well));
    const lids = new Map(bench.labware.filter((one) => one.lid).map((one) => [one.id, one.lid]));
    // Only what has changed is drawn anew: a card is kept while all that it shows is the same.
    const before = cards, shown = [];
    cards = new Map();
    const store = make('details', 'store'), stored = make('div', 'deck'), heading = make('summary');
    store.open = open;
    store.ontoggle = () => { open = store.open; };
    store.append(heading, stored);
    // Where all places are homes, as on a bench of people, they are the deck.
    const apart = bench.positions.some((one) => !one.home);
    const put_down = (position, card) => { if (apart && position.home) stored.append(card); else shown.push(card); };
    for (const position of bench.positions) {
      const item = bench.labware.find((one) => one.position === position.name || one.maybe === position.name);
      if (!item && position.home) continue;
      const what = JSON.stringify([item, item && lids.has(item.id), item && bench.barred.filter(([labware]) => labware === item.id)]);
      const kept = before.get(position.name);
      if (kept && kept.what === what) {
        cards.set(position.name, kept);
        put_down(position, kept.card);
        continue;
      }
      const card = make('div', 'card' + (item ? '' : ' empty'));
      cards.set(position.name, { what, card });
      const words = make('div', 'words');
      words.append(make('b', '', position.name), make('span', '', item ? item.id + (item.maybe ? ' (maybe)' : '') : 'empty'));
      for (const one of words.children) one.title = one.textContent;
      card.append(words);
      if (item && item.type.kind !== 'lid') {
        card.append(plate(item, barred));
        let foot = lids.has(item.id) ? 'lid on' : '';
        if (item.type.kind === 'tip_rack') foot = item.tips.length + ' of ' + (item.type.rows * item.type.columns) + ' tips, ' + item.type.tip_volume_ul + ' µl';
        else if (item.type.kind === 'trough') {
          const wells = Object.values(item.wells), all = wells.reduce((sum, one) => sum + one.volume_ul, 0);
          foot = (all / 1000).toFixed(2) + ' ml ' + [...new Set(wells.flatMap((one) => Object.keys(one.parts)))].join(', ');
        }
        if (foot) card.append(make('div', 'foot', foot));
      }
      put_down(position, card);
    }
    heading.textContent = 'In the hotel and other stores: ' + stored.childElementCount;
    if (stored.childElementCount) shown.push(store);
    root.replaceChildren(...shown);
  };
  return watch(parentElement, root, '/live/deck/' + encodeURIComponent(data.bench), ['first', 'step', 'run', 'seen'], draw);
}
