export default function (component) {
  const { data } = component;
  if (window.__drywetKept === data.word) return;
  window.__drywetKept = data.word;
  fetch(data.out ? '/live/forget' : '/live/keep', {
    method: 'POST', credentials: 'same-origin', headers: { 'X-Drywet': 'console' }, body: data.word,
  }).then(() => { if (window.__drywetLive) { window.__drywetLive.connect(); window.__drywetLive.look(); } });
}
