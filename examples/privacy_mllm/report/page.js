// Without this script both pictures of an example stand beside each other; with it they lie on one another.
document.documentElement.classList.add("js");
for (const slider of document.querySelectorAll(".pair input")) {
  slider.hidden = false;
  const tell = () => {
    slider.parentElement.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} percent raw`);
  };
  slider.addEventListener("input", tell);
  tell();
}
