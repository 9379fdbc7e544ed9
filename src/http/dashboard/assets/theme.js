// Sets the colors before anything is drawn: those that were chosen, else those of the system.
try {
  const chosen = localStorage.getItem("answerd.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Without storage the system's colors do.
}
