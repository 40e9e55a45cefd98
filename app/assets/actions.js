/* What the browser does alone: theme, address, copying, and the selection of a zone. */
(function () {
  "use strict";
  window.dash_clientside = window.dash_clientside || {};

  const system = window.matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", () => {
    if (["null", null].includes(window.localStorage.getItem("theme-choice"))) window.dash_clientside.set_props("theme", { data: system.matches ? "dark" : "light" });
  });

  function address(changes) {
    const url = new URL(window.location.href);
    for (const [key, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === "") url.searchParams.delete(key);
      else url.searchParams.set(key, value);
    }
    if (url.href !== window.location.href) window.history.replaceState(window.history.state, "", url);
  }

  window.dash_clientside.zonewise = {
    flipTheme(clicks, theme) {
      if (!clicks) return window.dash_clientside.no_update;
      return theme === "dark" ? "light" : "dark";
    },
    /* What the user chose, or until then what the system says. */
    themeOf(choice) {
      return choice === "dark" || choice === "light" ? choice : system.matches ? "dark" : "light";
    },
    useTheme(theme) {
      return theme === "dark" ? "dark" : "light";
    },
    copyLink(clicks, said) {
      if (!clicks) return window.dash_clientside.no_update;
      const text = window.location.href;
      if (navigator.clipboard) navigator.clipboard.writeText(text).catch(() => null);
      return said;
    },
    follow(value) {
      return value === undefined || value === null ? window.dash_clientside.no_update : value;
    },
    remember(...values) {
      const keys = values.pop();
      const said = (value) => (value === true ? "on" : value === false ? null : value);
      address(Object.fromEntries(keys.map((key, i) => [key, said(values[i])])));
      return window.dash_clientside.no_update;
    },
    activeLink(path) {
      document.querySelectorAll("nav a").forEach((link) => {
        if (link.getAttribute("href") === path) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      });
      return path;
    },
    markRow(zone) {
      window.setTimeout(() => {
        document.querySelectorAll("table.zones tbody tr").forEach((row) => {
          const button = row.querySelector("button");
          const here = Boolean(button) && button.id.includes(`"${zone}"`);
          row.classList.toggle("selected", here);
          if (button) button.setAttribute("aria-pressed", String(here));
        });
      });
      return zone;
    },
    chooseRow(clicks) {
      const said = window.dash_clientside.callback_context.triggered;
      if (!said.length || !said[0].value) return window.dash_clientside.no_update;
      return JSON.parse(said[0].prop_id.split(".")[0]).zone;
    },
  };
})();
