// Read before the page is drawn, so that it never flashes in the other theme. Without a choice of the person's own the
// system's holds; CSS alone follows it.
(() => {
  const chosen = localStorage.getItem("seqwise.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
