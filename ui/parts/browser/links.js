// Streamlit opens every link in a window of its own; those to pages of the console stay in this one.
function stayHere() {
  if (window.__drywetLinks) return;
  window.__drywetLinks = true;
  document.addEventListener('click', (event) => {
    const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement && one.href);
    if (link && new URL(link.href).origin === window.location.origin) link.removeAttribute('target');
  }, true);
}
