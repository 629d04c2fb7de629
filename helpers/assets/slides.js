// Puts the blocks of each slide on as many slides as they need, one below the other; then reveal.js
// takes over. Heights are measured here, as fonts differ from machine to machine.
(() => {
  const HEIGHT = 720;
  const isHeading = block => /^H[1-6]$/.test(block.tagName) ||
    block.tagName === "P" && block.textContent === block.querySelector("strong")?.textContent;
  const leads = block => isHeading(block) || block.tagName === "DETAILS";
  const tall = slide => slide.getBoundingClientRect().height > HEIGHT;

  const newSlide = (stack, title) => {
    const slide = document.createElement("section");
    stack.append(slide);
    if (title) {
      const again = Object.assign(document.createElement("p"), {textContent: title});
      again.className = "again";
      slide.append(again);
    }
    return slide;
  };

  // The parts of a list or a table that don't fit on its slide, as another one; or nothing.
  const split = (block, slide) => {
    const parts = block.tagName === "TABLE" ? block.tBodies[0] : block;
    if (!/^(UL|OL|TABLE)$/.test(block.tagName) || !parts) return null;
    const rest = block.cloneNode(true);
    const room = rest.tagName === "TABLE" ? rest.tBodies[0] : rest;
    room.replaceChildren();
    while (tall(slide) && parts.children.length > 1) room.prepend(parts.lastElementChild);
    if (block.tagName === "OL") rest.start = (block.start || 1) + parts.children.length;
    return room.children.length ? rest : null;
  };

  // What can't be divided is made smaller, a picture first.
  const shrink = (block, slide) => {
    const image = block.querySelector("img");
    for (let height = 480; image && tall(slide) && height > 200; height -= 20)
      image.style.setProperty("max-height", `${height}px`, "important");
    for (let size = 0.95; tall(slide) && size > 0.5; size -= 0.05) block.style.zoom = size;
  };

  // The blocks of a slide's cells; those that a lecture shows later appear together.
  const blocksOf = cells => cells.flatMap((cell, at) => [...cell.children].map(block => {
    if (cell.matches(".later")) {
      block.classList.add("fragment");
      block.dataset.fragmentIndex = at;
    }
    return block;
  }));

  let title = "";  // of the section; later slides repeat it
  const pack = stack => {
    const [first] = stack.children;
    const blocks = blocksOf([...first.children]);
    first.remove();
    let slide = newSlide(stack, isHeading(blocks[0]) ? "" : title);
    while (blocks.length) {
      const block = blocks.shift();
      if (/^H[12]$/.test(block.tagName)) title = block.textContent;
      slide.append(block);
      if (!tall(slide)) continue;
      const moved = [block];  // with its heading and its folded code, which never stand alone
      while (moved[0].previousElementSibling && leads(moved[0].previousElementSibling))
        moved.unshift(moved[0].previousElementSibling);
      if (moved[0].previousElementSibling?.matches(":not(.again)")) {  // something stays
        slide = newSlide(stack, isHeading(moved[0]) && /^H/.test(moved[0].tagName) ? "" : title);
        slide.append(...moved);
      }
      const rest = tall(slide) && split(block, slide);
      if (rest) blocks.unshift(rest);
      if (tall(slide)) shrink(block, slide);
    }
    for (const one of stack.children) showBeginning([...one.children]);
  };

  // What a slide begins with is there from the start: no slide is empty.
  const showBeginning = blocks => {
    const head = blocks.filter(block => !block.matches(".again"))[0];
    for (const block of blocks)
      if (block === head || isHeading(head) && block === head.nextElementSibling ||
          block.dataset.fragmentIndex === head?.dataset.fragmentIndex) block.classList.remove("fragment");
  };

  // Keys that a focused control, or an unfolding line, understands don't turn the page.
  document.addEventListener("keydown", event => {
    const own = event.target.closest("input, select, summary, pre");
    if (!own || event.key === "Tab") return;
    if (event.key === "Escape") own.blur();
    if (own.matches("input, select")) event.stopPropagation();
    else if (own.matches("summary") && /^( |Enter)$/.test(event.key)) event.stopPropagation();
  }, true);

  window.addEventListener("load", async () => {
    await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
    document.body.classList.add("measuring");
    document.querySelectorAll(".slides > section").forEach(pack);
    document.body.classList.remove("measuring");
    await Reveal.initialize({
      width: 1280, height: HEIGHT, margin: 0, center: false, transition: "none",
      hash: true, slideNumber: "c/t", controlsTutorial: false,
    });
    document.body.dataset.ready = "yes";
  });
})();
