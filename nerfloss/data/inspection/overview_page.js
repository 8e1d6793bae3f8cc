// Draws the scene on a canvas: x right, y away, z up; 1 is the half-width that shows all cameras.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("canvas");
const label = document.getElementById("label");
const context = canvas.getContext("2d");
const FIRST = { turn: -0.6, tilt: 0.45, zoom: 1, x: 0, y: 0 };
const DISTANCE = 4; // of the eye from the middle
let state = { ...FIRST };
let nearest = -1;
let apexes = [];

const pointColors = data.colors.map(([r, g, b]) => `rgb(${r},${g},${b})`);

function projector() {
  const [ct, st] = [Math.cos(state.turn), Math.sin(state.turn)];
  const [cp, sp] = [Math.cos(state.tilt), Math.sin(state.tilt)];
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const scale = 0.45 * Math.min(width, height) * state.zoom;
  return ([x, y, z]) => {
    const right = ct * x - st * y;
    const away = st * x + ct * y;
    const up = cp * z + sp * away;
    const depth = cp * away - sp * z;
    const size = DISTANCE / Math.max(DISTANCE + depth, 0.05);
    return [width / 2 + state.x + scale * size * right, height / 2 + state.y - scale * size * up, depth, scale * size];
  };
}

function line(points, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

function drawBall(project, r, color) {
  const steps = [...Array(65).keys()].map((i) => (i / 32) * Math.PI);
  const [cx, cy, cz] = data.center;
  const rings = [
    (a) => [cx + r * Math.cos(a), cy + r * Math.sin(a), cz],
    (a) => [cx + r * Math.cos(a), cy, cz + r * Math.sin(a)],
    (a) => [cx, cy + r * Math.cos(a), cz + r * Math.sin(a)],
  ];
  for (const ring of rings) line(steps.map((a) => project(ring(a))), color, 1);
}

function drawDots(project, dots, color, size) {
  const drawn = dots.map((p, i) => [...project(p), i]);
  drawn.sort((a, b) => b[2] - a[2]);
  for (const [x, y, , , i] of drawn) {
    context.fillStyle = color(i);
    context.fillRect(x - size / 2, y - size / 2, size, size);
  }
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  const project = projector();
  drawDots(project, data.points, (i) => pointColors[i], 1.8);
  drawDots(project, data.hull, () => "#e39bd0", 1.8);
  if (data.scene_radius !== data.radius) drawBall(project, data.scene_radius, "#cdb8ea");
  drawBall(project, data.radius, "#7a3fc4");
  apexes = data.cameras.map((camera, i) => {
    const [apex, ...far] = camera.corners.map(project);
    const width = i === nearest ? 3 : 1.2;
    for (const corner of far) line([apex, corner], camera.color, width);
    line([...far, far[0]], camera.color, width);
    const top = [(far[0][0] + far[1][0]) / 2, (far[0][1] + far[1][1]) / 2];
    line([apex, top], camera.color, width);
    return apex;
  });
  const [cx, cy, cz] = data.center;
  const bottom = cz - data.radius;
  const origin = project([cx, cy, bottom]);
  const axes = [["#c33", [0.15, 0, 0]], ["#3a3", [0, 0.15, 0]], ["#36c", [0, 0, 0.15]]];
  for (const [color, [x, y, z]] of axes) line([origin, project([cx + x, cy + y, bottom + z])], color, 2);
}

function pick(x, y) {
  let best = 18;
  let found = -1;
  apexes.forEach(([ax, ay], i) => {
    const distance = Math.hypot(ax - x, ay - y);
    if (distance < best) [best, found] = [distance, i];
  });
  if (found === nearest) return;
  nearest = found;
  label.replaceChildren();
  if (found >= 0) {
    const camera = data.cameras[found];
    if (camera.picture) {
      const picture = document.createElement("img");
      picture.src = camera.picture;
      label.append(picture);
    }
    label.append(camera.name);
  }
  draw();
}

let held = null;
canvas.addEventListener("pointerdown", (event) => {
  held = [event.clientX, event.clientY];
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointerup", () => (held = null));
canvas.addEventListener("pointercancel", () => (held = null));
canvas.addEventListener("pointermove", (event) => {
  if (!held) return pick(event.offsetX, event.offsetY);
  const [dx, dy] = [event.clientX - held[0], event.clientY - held[1]];
  held = [event.clientX, event.clientY];
  if (event.shiftKey || event.buttons === 2) {
    state.x += dx;
    state.y += dy;
  } else {
    state.turn -= dx * 0.008;
    state.tilt = Math.min(1.57, Math.max(-1.57, state.tilt + dy * 0.008));
  }
  draw();
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  state.zoom = Math.min(50, Math.max(0.1, state.zoom * Math.exp(-event.deltaY * 0.0015)));
  draw();
}, { passive: false });
canvas.addEventListener("dblclick", () => {
  state = { ...FIRST };
  draw();
});
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
window.addEventListener("resize", draw);
draw();
