// What a person who looks at a page would miss or could not read: run in the page, gives sentences.
() => {
  const every = [];
  const walk = (root) => {
    for (const one of root.querySelectorAll('*')) { every.push(one); if (one.shadowRoot) walk(one.shadowRoot); }
  };
  walk(document.body);
  const parentOf = (one) => one.parentElement || (one.getRootNode().host ?? null);
  const seen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const words = (one) => (one.innerText ?? one.textContent ?? '').trim().replace(/\s+/g, ' ').slice(0, 80);
  const box = (one) => one.getBoundingClientRect();
  const behind = (one) => { // canvas and visually hidden texts for those who can't see
    const { width, height } = box(one);
    return width <= 1 || height <= 1;
  };
  const inCanvas = (one) => one.closest('canvas') !== null;
  const found = new Set();

  // Wider than the window.
  const wide = [document.scrollingElement, ...document.querySelectorAll('[data-testid=stMain]')];
  for (const one of wide) if (one.scrollWidth > one.clientWidth + 1)
    found.add(`the page is ${one.scrollWidth} wide in a window of ${one.clientWidth}`);

  // Letters that are cut off at the side.
  for (const one of every) {
    if (!seen(one) || behind(one) || inCanvas(one)) continue;
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    const style = getComputedStyle(one);
    if (style.overflowX !== 'visible' && style.overflowX !== 'auto' && style.overflowX !== 'scroll' && one.scrollWidth > one.clientWidth + 1 && !one.title)
      found.add(`cut off: ${words(one)}`);
    const { left, right } = box(one);
    if (style.position !== 'fixed' && (right > innerWidth + 1 || left < -1) && !one.closest('[data-testid=stSidebar]')
        && !scrolls(one)) found.add(`beside the window: ${words(one)}`);
  }
  function scrolls(one) {
    for (let up = one; up; up = parentOf(up)) {
      if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX) && up.scrollWidth > up.clientWidth + 1) return true;
    }
    return false;
  }

  // Controls without a name.
  for (const one of every) {
    if (!one.matches('input, textarea, select, button, a[href], [role=button], [role=combobox], [role=tab], [role=radio], [role=checkbox]')) continue;
    if (!seen(one) || one.type === 'hidden' || one.closest('[aria-hidden=true]')) continue;
    const root = one.getRootNode();
    const by = (one.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => root.getElementById?.(id)?.textContent ?? '').join('');
    const label = [...(one.labels ?? [])].map((each) => each.textContent).join('');
    const image = [...one.querySelectorAll('img[alt]')].map((each) => each.alt).join('');
    const name = [one.getAttribute('aria-label'), by, label, one.textContent, one.title, image].find((each) => each && each.trim());
    if (!name) found.add(`no name: ${one.outerHTML.slice(0, 140)}`);
  }

  // Texts that are hard to tell from what is behind them.
  const pen = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const colour = (text) => {
    if (!known.has(text)) {
      pen.clearRect(0, 0, 1, 1); pen.fillStyle = '#000'; pen.fillStyle = text; pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);
  const ground = (one) => {
    const layers = [];
    for (let up = one; up; up = parentOf(up)) {
      const style = getComputedStyle(up), stripe = style.backgroundImage.match(/(rgba?|color)\([^)]*\)/);
      if (stripe) layers.push(colour(stripe[0]));
      const own = colour(style.backgroundColor);
      if (own[3] > 0) layers.push(own);
      if (layers.length && layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), colour(getComputedStyle(document.documentElement).colorScheme.includes('dark') ? '#0e1117' : '#fff'));
  };
  const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const clear = (one) => { let all = 1; for (let up = one; up; up = parentOf(up)) all *= Number(getComputedStyle(up).opacity); return all; };
  const judge = (one, text, what) => {
    const ink = [...colour(text)], paper = ground(one);
    ink[3] *= clear(one);
    if (ink[3] === 0) return;
    const [a, b] = [light(over(ink, paper)), light(paper)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.add(`contrast ${ratio.toFixed(1)}: ${what}`);
  };
  for (const one of every) {
    if (!seen(one) || behind(one) || inCanvas(one) || one.closest('[disabled], [aria-disabled=true]')) continue;
    const style = getComputedStyle(one);
    if (one.matches('input, textarea') && one.placeholder && !one.value)
      judge(one, getComputedStyle(one, '::placeholder').color, `the hint ${one.placeholder}`);
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.matches('style, script, title, option')) continue;
    judge(one, one instanceof SVGElement ? style.fill : style.color, words(one) || one.textContent.trim().slice(0, 80));
  }
  return [...found];
}
