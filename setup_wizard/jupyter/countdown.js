// Tells in the page when the session's time is over. Loaded by JupyterLab and Notebook as an extension of theirs.
(() => {
  const NAME = "hpc-jupyter-setup-countdown";
  const SOON = 10 * 60, LAST = 2 * 60; // seconds before the end: the first word, and the last
  const LOOK = 20e3; // milliseconds between two looks
  const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent || "{}");
  let closed = 0; // at how many seconds before the end it was closed

  const banner = () => {
    let box = document.getElementById(NAME);
    if (!box) {
      box = document.createElement("div");
      box.id = NAME;
      box.setAttribute("role", "alert");
      box.style.cssText =
        "position:fixed;bottom:40px;right:16px;max-width:420px;z-index:10000;padding:10px 16px;" +
        "background:#8a1c00;color:#fff;font:14px sans-serif;border-radius:6px;cursor:pointer";
      box.title = "Click to hide";
      document.body.append(box);
    }
    return box;
  };

  const show = (left, idle) => {
    const clock = new Date(Date.now() + left * 1e3).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
    const minutes = Math.max(1, Math.round(left / 60));
    const box = banner();
    const words = idle ? "Nothing is being done: run a cell or save a file, and it goes on." : "Save your work: kernels and terminals end then.";
    box.textContent = `This session ends at ${clock}, in ${minutes} min. ${words}`;
    box.onclick = () => { closed = left; box.remove(); };
  };

  const look = async () => {
    const answer = await fetch(`${config.baseUrl || "/"}static/end.json`, {cache: "no-store"}).catch(() => null);
    if (!answer) return; // no network just now
    const {at, idle} = answer.ok ? await answer.json() : {at: Infinity}; // no limit
    const left = at - Date.parse(answer.headers.get("Date")) / 1e3; // by the node's clock, not this one
    if (left > SOON) {
      document.getElementById(NAME)?.remove(); // it was put off
      closed = 0;
    }
    if (left > SOON || (closed && (closed <= LAST || left > LAST))) return;
    show(Math.max(0, left), idle);
  };

  const plugin = {id: `${NAME}:plugin`, autoStart: true, activate: () => { look(); setInterval(look, LOOK); }};
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: () => {},
    get: () => Promise.resolve(() => ({__esModule: true, default: plugin})),
  };
})();
