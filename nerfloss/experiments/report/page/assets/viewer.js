// The mesh viewer: one mesh at a time on a turntable, in plain WebGL.
// Drag or arrow keys turn, the wheel, a pinch, + and - zoom, a double click begins again.

const VERTEX = `#version 300 es
in vec3 position; in vec3 normal; in vec4 paint;
uniform mat3 turn; uniform vec2 focal; uniform vec2 depthLine; uniform float distance;
out vec3 seenNormal; out vec3 ownNormal; out vec4 vertexPaint;
void main() {
  vec3 seen = turn * position;
  float depth = distance - seen.z;
  gl_Position = vec4(seen.xy * focal, depthLine.x * depth + depthLine.y, depth);
  seenNormal = turn * normal; ownNormal = normal; vertexPaint = paint;
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec3 seenNormal; in vec3 ownNormal; in vec4 vertexPaint;
uniform int shading; uniform vec3 ramp[5];
out vec4 color;
vec3 ofError(float share) {
  float at = share * 4.0;
  vec3 found = ramp[0];
  for (int i = 0; i < 4; i++) found = mix(found, ramp[i + 1], clamp(at - float(i), 0.0, 1.0));
  return found;
}
void main() {
  vec3 n = normalize(gl_FrontFacing ? seenNormal : -seenNormal);
  float key = max(dot(n, normalize(vec3(-0.4, 0.6, 0.75))), 0.0);
  float fill = 0.5 + 0.5 * n.y;
  vec3 base = vec3(0.80, 0.81, 0.83);
  if (shading == 1) base = vertexPaint.rgb;
  if (shading == 2) base = ofError(vertexPaint.a);
  if (shading == 3) { color = vec4(0.5 + 0.5 * normalize(ownNormal), 1.0); return; }
  float light = shading == 2 ? 0.52 + 0.18 * fill + 0.32 * key : 0.32 + 0.26 * fill + 0.5 * key;
  color = vec4(base * light, 1.0);
}`;

const DISTANCE = 3.6, FOCAL = 3.1, START = { yaw: 0.6, pitch: 0.35, zoom: 1 };
const SHADINGS = { plain: 0, colors: 1, error: 2, normals: 3 };

function numbers(base64, Kind) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}

function rotation(yaw, pitch) {
  // World z is up on the screen; columns of a matrix that turns by yaw about it, then leans.
  const c = Math.cos(yaw), s = Math.sin(yaw), u = Math.sin(pitch), v = Math.cos(pitch);
  return [c, u * s, -v * s, -s, u * c, -v * c, 0, v, u];
}

function programOf(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  gl.useProgram(program);
  return program;
}

function turntable(canvas, ramp) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true });
  if (!gl) return null;
  const program = programOf(gl);
  const place = (name) => gl.getUniformLocation(program, name);
  const at = { ...START };
  let shown = null, shading = 0, touched = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let dirty = true, visible = true;
  gl.enable(gl.DEPTH_TEST);
  gl.uniform3fv(place("ramp"), ramp.flat().map((value) => value / 255));

  function upload(mesh) {
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const attributes = [
      ["position", mesh.positions, Int16Array, 3, gl.SHORT],
      ["normal", mesh.normals, Int8Array, 3, gl.BYTE],
      ["paint", mesh.paint, Uint8Array, 4, gl.UNSIGNED_BYTE],
    ];
    for (const [name, text, Kind, size, type] of attributes) {
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, numbers(text, Kind), gl.STATIC_DRAW);
      const slot = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(slot);
      gl.vertexAttribPointer(slot, size, type, true, 0, 0);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    const indices = numbers(mesh.indices, mesh.wide ? Uint32Array : Uint16Array);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
    return { array, count: indices.length, type: mesh.wide ? gl.UNSIGNED_INT : gl.UNSIGNED_SHORT };
  }

  function draw() {
    const sharp = Math.min(devicePixelRatio || 1, 2);
    const width = Math.round(canvas.clientWidth * sharp), height = Math.round(canvas.clientHeight * sharp);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (!shown || !width || !height) return;
    const near = DISTANCE - 1.05, far = DISTANCE + 1.05, side = Math.min(width, height);
    gl.uniformMatrix3fv(place("turn"), false, rotation(at.yaw, at.pitch));
    gl.uniform2f(place("focal"), (FOCAL * at.zoom * side) / width, (FOCAL * at.zoom * side) / height);
    gl.uniform2f(place("depthLine"), (far + near) / (far - near), (-2 * far * near) / (far - near));
    gl.uniform1f(place("distance"), DISTANCE);
    gl.uniform1i(place("shading"), shading);
    gl.bindVertexArray(shown.array);
    gl.drawElements(gl.TRIANGLES, shown.count, shown.type, 0);
  }

  let before = 0;
  function tick(now) {
    if (visible && !touched) { at.yaw += Math.min(now - before, 50) * 0.0004; dirty = true; }
    before = now;
    if (dirty && visible) { draw(); dirty = false; }
    requestAnimationFrame(tick);
  }
  function move(yaw, pitch, zoom) {
    touched = dirty = true;
    at.yaw += yaw;
    at.pitch = Math.max(-1.5, Math.min(1.5, at.pitch + pitch));
    at.zoom = Math.max(0.5, Math.min(12, at.zoom * zoom));
  }

  const fingers = new Map();
  const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    touched = true;
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const gap = fingers.size === 2 ? spread() : 0;
    const next = { x: event.clientX, y: event.clientY };
    fingers.set(event.pointerId, next);
    if (fingers.size === 2) move(0, 0, spread() / Math.max(gap, 1));
    else move((next.x - last.x) * 0.009, (next.y - last.y) * 0.009, 1);
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    move(0, 0, Math.exp(-event.deltaY * 0.0012));
  }, { passive: false });
  canvas.addEventListener("dblclick", () => { Object.assign(at, START); touched = false; });
  const KEYS = { ArrowLeft: [-0.1, 0, 1], ArrowRight: [0.1, 0, 1], ArrowUp: [0, -0.1, 1],
    ArrowDown: [0, 0.1, 1], "+": [0, 0, 1.15], "-": [0, 0, 1 / 1.15] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key in KEYS) { event.preventDefault(); move(...KEYS[event.key]); }
  });
  new ResizeObserver(() => { dirty = true; }).observe(canvas);
  new IntersectionObserver(([entry]) => { visible = entry.isIntersecting; dirty = true; }).observe(canvas);
  requestAnimationFrame(tick);
  const uploaded = new Map();
  return {
    show(mesh) {
      if (!uploaded.has(mesh)) uploaded.set(mesh, upload(mesh));
      shown = uploaded.get(mesh); dirty = true;
    },
    shade(name) { shading = SHADINGS[name]; dirty = true; },
  };
}
