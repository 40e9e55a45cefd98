/* What the browser does alone: theme, address and copying. */
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

  /* The other language: this very view, asked for once more. */
  document.addEventListener("click", (e) => {
    const link = e.target.closest && e.target.closest("#language");
    if (!link) return;
    e.preventDefault();
    const url = new URL(window.location.href);
    url.searchParams.set("lang", link.getAttribute("hreflang"));
    window.location.assign(url);
  });
  /* The choice is kept by a cookie: the address is for the view. */
  if (new URL(window.location.href).searchParams.has("lang")) address({ lang: null });

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
    copyLink(clicks) {
      if (!clicks) return window.dash_clientside.no_update;
      const { said } = document.getElementById("copy-button").dataset;
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
  };
})();
