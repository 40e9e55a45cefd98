/* Drafts of scenarios: kept in this browser, one list a workspace; steps back and forth over the whole draft. */
(function () {
  "use strict";
  window.dash_clientside = window.dash_clientside || {};
  const MOST = 20;
  const STEPS = 60;
  const none = () => window.dash_clientside.no_update;
  const place = (meta) => `zonewise.drafts.${meta.key}`;
  const copy = (value) => JSON.parse(JSON.stringify(value));
  const fresh = () => `d${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
  /* What counts as a change: neither the id nor empty drawings. */
  const core = (draft) => {
    const drawn = draft.drawn || {};
    const loose = isOpened(draft) ? [] : [drawn.links || [], drawn.line || []];
    return JSON.stringify([draft.name, draft.label || "", draft.measures, ...(loose.some((one) => one.length) ? loose : [])]);
  };
  /* What lies on the map while a measure is changed is that measure's, and no step of its own. */
  const isOpened = (draft) => Boolean(draft.drawn && draft.drawn.of !== undefined);
  const closed = (draft) => (isOpened(draft) ? { ...draft, drawn: { links: [], line: [] } } : draft);

  function read(meta) {
    try {
      const kept = JSON.parse(window.localStorage.getItem(place(meta)) || "{}");
      return kept && typeof kept.drafts === "object" ? kept : { drafts: {}, current: null };
    } catch (error) {
      return { drafts: {}, current: null };
    }
  }
  function write(meta, kept) {
    const names = Object.keys(kept.drafts).sort((a, b) => kept.drafts[b].at - kept.drafts[a].at);
    for (const name of names.slice(MOST)) delete kept.drafts[name];
    try {
      window.localStorage.setItem(place(meta), JSON.stringify(kept));
      return true;
    } catch (error) {
      return false; /* full, or forbidden by the browser: the page says that nothing is kept */
    }
  }
  const called = (draft) => draft.label || draft.name;
  const when = (at) => new Date(at).toLocaleString(document.documentElement.lang || "en", { dateStyle: "short", timeStyle: "medium" });
  /* Newest first; drafts of one name are told apart by when they were last changed. */
  const options = (kept) => {
    const ids = Object.keys(kept.drafts).sort((a, b) => kept.drafts[b].at - kept.drafts[a].at);
    const names = ids.map((id) => called(kept.drafts[id].draft));
    const twice = new Set(names.filter((name, k) => names.indexOf(name) !== k));
    return ids.map((id, k) => ({ value: id, label: twice.has(names[k]) ? `${names[k]} · ${when(kept.drafts[id].at)}` : names[k] }));
  };
  const usable = (draft) => draft && Array.isArray(draft.measures) && typeof draft.name === "string";

  window.dash_clientside.drafts = {
    /* Which draft is on the desk. Outputs: draft, name field, choice of drafts, what is said, edited measure. */
    open(meta, blank, double, remove, chosen, draft) {
      const said = window.dash_clientside.callback_context.triggered;
      const what = said.length ? said[0].prop_id.split(".")[0] : "";
      const kept = read(meta);
      const words = meta.words;
      /* The choice of drafts needs the new one among its options before its value says so. */
      const show = (next, note) => {
        const others = options(kept).filter((one) => one.value !== next.id);
        return [next, next.label || next.name, next.id, note, null, [{ value: next.id, label: next.label || next.name }, ...others]];
      };
      const nothing = [none(), none(), none(), none(), none(), none()];
      if (what === meta.ids.blank && blank) return show({ ...copy(meta.empty), id: fresh() }, words.blank);
      if (what === meta.ids.double && double) {
        const label = words.copy.replace("{name}", draft.label || draft.name);
        return show({ ...closed(copy(draft)), id: fresh(), label }, words.copied);
      }
      if (what === meta.ids.remove && remove) {
        delete kept.drafts[draft.id];
        kept.current = null;
        write(meta, kept);
        return show({ ...copy(meta.empty), id: fresh() }, words.removed);
      }
      if (what === meta.ids.choice && chosen) {
        const found = kept.drafts[chosen];
        if (!found || draft.id === chosen || !usable(found.draft)) return nothing;
        return show({ ...closed(copy(found.draft)), id: chosen }, "");
      }
      if (what && what !== meta.ids.meta) return nothing;
      /* The page has just opened: an address that names a scenario goes before what was kept. */
      if (meta.given) return show({ ...copy(draft), id: draft.id || fresh() }, "");
      const found = kept.current && kept.drafts[kept.current];
      if (found && usable(found.draft) && core(found.draft) !== core(meta.empty)) {
        const at = new Date(found.at).toLocaleString(document.documentElement.lang || "en", { dateStyle: "medium", timeStyle: "short" });
        return show({ ...closed(copy(found.draft)), id: kept.current }, words.restored.replace("{time}", at));
      }
      return show({ ...copy(draft), id: fresh() }, "");
    },
    /* Keeps the draft and the step before it. Outputs: history, drafts to choose from, badge, undo and redo off. */
    keep(draft, past, meta) {
      if (!draft || !draft.id) return [none(), none(), none(), none(), none()];
      const kept = read(meta);
      const here = { value: draft.id, label: draft.label || draft.name };
      let history = past && past.id === draft.id ? past : { id: draft.id, back: [], forth: [], now: null };
      if (history.now && core(history.now) !== core(draft)) {
        history = { ...history, back: [...history.back, history.now].slice(-STEPS), forth: [], now: draft };
      } else history = { ...history, now: draft };
      let words = "";
      if (core(draft) !== core(meta.empty) || kept.drafts[draft.id]) {
        const before = kept.drafts[draft.id];
        const same = before && core(before.draft) === core(draft);
        kept.drafts[draft.id] = { draft, at: same ? before.at : Date.now() };
        kept.current = draft.id;
        words = write(meta, kept) ? meta.words.saved : meta.words.unsaved;
      }
      const list = [here, ...options(kept).filter((one) => one.value !== draft.id)];
      return [history, list, words, !history.back.length, !history.forth.length];
    },
    /* A step back or forth. Outputs: draft, history, name field, edited measure. */
    step(undo, redo, past, meta) {
      const said = window.dash_clientside.callback_context.triggered;
      const nothing = [none(), none(), none(), none()];
      if (!said.length || !said[0].value || !past) return nothing;
      const back = said[0].prop_id.split(".")[0] === meta.ids.undo;
      const from = back ? past.back : past.forth;
      if (!from.length) return nothing;
      const next = closed(from[from.length - 1]);
      const left = from.slice(0, -1);
      const history = back
        ? { ...past, back: left, forth: [...past.forth, past.now], now: next }
        : { ...past, forth: left, back: [...past.back, past.now], now: next };
      return [next, history, next.label || next.name, null];
    },
    rename(name, draft) {
      if (!draft || !name || name === (draft.label || draft.name)) return none();
      return { ...draft, label: name };
    },
    /* The address of what is on the desk: of its run, or with the draft itself in it. */
    share(clicks, draft, job, study) {
      if (!clicks) return none();
      const words = document.getElementById("scenario-share").dataset;
      const url = new URL(window.location.href);
      url.searchParams.delete("form");
      if (!job && !study) {
        const form = { name: draft.name, label: draft.label, measures: draft.measures };
        url.searchParams.set("form", JSON.stringify(form));
      }
      if (url.href.length > 7000) return words.long;
      if (!navigator.clipboard) return url.href;
      return navigator.clipboard.writeText(url.href).then(() => words.done, () => url.href);
    },
  };

  /* Ctrl+Z and Ctrl+Shift+Z (or Ctrl+Y) wherever nobody is writing. */
  document.addEventListener("keydown", (e) => {
    if (!(e.ctrlKey || e.metaKey) || e.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    const forth = e.key.toLowerCase() === "y" || (e.key.toLowerCase() === "z" && e.shiftKey);
    if (!forth && e.key.toLowerCase() !== "z") return;
    const button = document.getElementById(forth ? "scenario-redo" : "scenario-undo");
    if (!button) return;
    e.preventDefault();
    button.click();
  });
})();
