/* Pulse: asks now and then what the newest readings are, while the page is seen and the slider rests. Where they are
   newer, `seen` becomes the new key and Dash renews what is shown; a line says so, and says when nobody answers. */
(function () {
  "use strict";
  const R = window.React;
  const LOST_AFTER = 2;
  const SAID_MS = 8000;

  function Pulse(props) {
    const [said, say] = R.useState("");
    const latest = R.useRef(props);
    latest.current = props;
    R.useEffect(() => {
      let [timer, quiet, failed, gone] = [0, 0, 0, false];
      const again = () => {
        clearTimeout(timer);
        if (!gone) timer = setTimeout(ask, latest.current.every);
      };
      const told = (words, ms) => {
        clearTimeout(quiet);
        say(words);
        if (ms) quiet = setTimeout(() => say(""), ms);
      };
      const ask = () => {
        if (document.hidden) return again();
        const { url, words } = latest.current;
        fetch(url, { cache: "no-store" })
          .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.status))))
          .then(({ key, time }) => {
            if (gone) return;
            if (failed >= LOST_AFTER) told("");
            failed = 0;
            if (key === latest.current.seen) return;
            told(words.renewed.replace("{time}", time), SAID_MS);
            latest.current.setProps({ seen: key });
          })
          .catch(() => {
            failed += 1;
            if (!gone && failed >= LOST_AFTER) told(words.lost);
          })
          .finally(again);
      };
      const seen = () => {
        if (!document.hidden) ask();
      };
      again();
      window.addEventListener("zonewise:step", again);
      document.addEventListener("visibilitychange", seen);
      return () => {
        gone = true;
        clearTimeout(timer);
        clearTimeout(quiet);
        window.removeEventListener("zonewise:step", again);
        document.removeEventListener("visibilitychange", seen);
      };
    }, []);
    return R.createElement("div", { id: props.id, role: "status", className: said ? "float pulse" : "unseen" }, said);
  }

  window.zonewise = Object.assign(window.zonewise || {}, { Pulse });
})();
