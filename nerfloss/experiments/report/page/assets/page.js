// What the page's own controls do: the slider between two pictures, the choice of a mesh.

const dataOf = (id) => JSON.parse(document.getElementById(id).textContent);

function fill(select, entries, chosen) {
  // entries: [value, label] or [value, label, group]
  const groups = new Map();
  select.replaceChildren();
  for (const [value, label, group] of entries) {
    let parent = select;
    if (group) {
      if (!groups.has(group)) {
        const made = document.createElement("optgroup");
        made.label = group;
        select.append(made);
        groups.set(group, made);
      }
      parent = groups.get(group);
    }
    parent.append(new Option(label, value, false, value === chosen));
  }
  select.closest("label").hidden = entries.length < 2;
}

function pictures(root) {
  const data = dataOf("renders-data");
  const find = (name) => root.querySelector(`[data-role=${name}]`);
  const [scene, view, kind, left, right] = ["scene", "view", "kind", "left", "right"].map(find);
  const range = find("range"), frame = find("frame"), gallery = find("gallery");
  const here = () => data.scenes[scene.value].views[view.value];
  const source = (run, what) => {
    const place = here();
    return data.pictures[run === "photograph" ? place.photograph : place.runs[run][what]];
  };

  function slide() { frame.style.setProperty("--at", `${range.value}%`); }
  // The range is for the keyboard: some browsers drag it by its thumb alone, which is not seen here.
  function follow(event) {
    if (!event.buttons) return;
    const box = frame.getBoundingClientRect();
    range.value = (100 * (event.clientX - box.left)) / box.width;
    slide();
  }
  frame.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    range.focus({ preventScroll: true });
    follow(event);
  });
  frame.addEventListener("pointermove", follow);
  function sides() {
    const place = here();
    const labels = Object.keys(place.runs).map((run) => [run, run]);
    if (place.photograph) labels.unshift(["photograph", "photograph"]);
    const kept = (select, other) =>
      labels.some(([name]) => name === select.value) ? select.value : labels[Math.min(other, labels.length - 1)][0];
    fill(left, labels, kept(left, 0));
    fill(right, labels, kept(right, 1));
  }
  function show() {
    const names = { left: left.value, right: right.value };
    for (const side of ["left", "right"]) {
      const image = find(`${side}-image`);
      const what = names[side] === "photograph" ? "photograph" : data.kinds[kind.value];
      image.src = source(names[side], kind.value) || "";
      image.alt = `${names[side]}, ${what}`;
      image.decode().then(() => frame.classList.toggle("coarse", image.naturalWidth < 300), () => {});
      find(`${side}-tag`).textContent =
        names[side] === "photograph" ? "photograph" : `${names[side]} · ${what}`;
    }
    gallery.replaceChildren(...Object.entries(here().runs).map(([run, kinds]) => {
      const figure = document.createElement("figure");
      const image = Object.assign(new Image(), { src: data.pictures[kinds.error || kinds.rendered], alt: `error map of ${run}` });
      const caption = document.createElement("figcaption");
      caption.textContent = here().psnr[run] == null ? run : `${run} · ${here().psnr[run].toFixed(2)} dB`;
      figure.append(image, caption);
      figure.addEventListener("click", () => { right.value = run; show(); });
      return figure;
    }));
  }
  const views = () => fill(view, Object.keys(data.scenes[scene.value].views).map((name) => [name, name]));
  fill(scene, Object.keys(data.scenes).map((name) => [name, name]));
  fill(kind, Object.entries(data.kinds));
  views(); sides(); show(); slide();
  scene.addEventListener("change", () => { views(); sides(); show(); });
  view.addEventListener("change", () => { sides(); show(); });
  for (const select of [kind, left, right]) select.addEventListener("change", show);
  range.addEventListener("input", slide);
}

function meshes(root) {
  const data = dataOf("meshes-data");
  const find = (name) => root.querySelector(`[data-role=${name}]`);
  const which = find("mesh"), how = find("shading"), legend = find("legend"), said = find("said");
  const viewer = turntable(find("canvas"), data.ramp);
  if (!viewer) {
    find("canvas").replaceWith("This browser has no WebGL, which drawing a mesh takes.");
    return;
  }
  function show() {
    const mesh = data.meshes[which.value];
    const ways = [["plain", "plain"], ["normals", "normals"]];
    if (mesh.judged) ways.unshift(["error", "distance to the true surface"]);
    if (mesh.colored) ways.splice(1, 0, ["colors", "colours as learned"]);
    const kept = ways.some(([name]) => name === how.value) ? how.value : ways[0][0];
    fill(how, ways, kept);
    viewer.show(mesh);
    viewer.shade(kept);
    legend.hidden = kept !== "error";
    said.textContent = `${mesh.triangles.toLocaleString("en")} triangles` +
      (mesh.thinned ? `, thinned for this page from ${mesh.thinned.toLocaleString("en")}` : "");
  }
  fill(which, data.meshes.map((mesh, index) => [String(index), mesh.label, mesh.scene]));
  which.addEventListener("change", show);
  how.addEventListener("change", show);
  show();
}

for (const [name, begin] of [["renders", pictures], ["meshes", meshes]]) {
  const root = document.getElementById(`${name}-widget`);
  if (root) begin(root);
}
document.documentElement.dataset.ready = "yes";
