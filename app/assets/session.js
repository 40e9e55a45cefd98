/* Signing in: the page in its theme; and a page of the app whose session has ended goes to sign in again. */
(function () {
  "use strict";
  let choice = null;
  try { choice = JSON.parse(window.localStorage.getItem("theme-choice")); } catch { choice = null; }
  if (window.location.pathname === "/sign-in") {
    const dark = choice ? choice === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.mantineColorScheme = dark ? "dark" : "light";
    return;
  }
  const ask = window.fetch;
  window.fetch = async (...given) => {
    const answer = await ask(...given);
    if (answer.status === 401) {
      const here = window.location.pathname + window.location.search;
      window.location.assign("/sign-in?next=" + encodeURIComponent(here));
    }
    return answer;
  };
})();
