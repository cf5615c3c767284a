// Light, dark, or as the system says. In the head, so that the page is never drawn twice.
const THEMES = ["system", "light", "dark"];

function kept() {
  try {
    return localStorage.getItem("theme") || "system";
  } catch {
    return "system"; // a browser that keeps nothing
  }
}

function show(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  if (button) button.textContent = `Theme: ${theme}`;
}

show(kept());
document.addEventListener("DOMContentLoaded", () => {
  show(kept());
  document.getElementById("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme;
    const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
    show(next);
    try {
      localStorage.setItem("theme", next);
    } catch {
      // it holds until the page is closed
    }
  });
});
