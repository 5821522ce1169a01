// Draws one OpenLABEL document: a frame for every camera, and the cuboids from above.
"use strict";
(() => {
  const viewer = document.getElementById("viewer");
  const byId = (id) => document.getElementById(id);
  const PALETTE = ["#2f7ed8", "#e4572e", "#2a9d5c", "#a259c4", "#d99a00", "#1aa7b8", "#d6437f", "#7a8b1f", "#8a6a4f", "#6a7bd1"];
  const NO_STREAM = "(no stream)";
  let frames = [], classes = [], cameras = [], top = null, levels = {}, current = 0;
  const images = new Map();

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (type) => PALETTE[Math.max(0, classes.indexOf(type)) % PALETTE.length];
  const attribute = (geometry, kind, name) =>
    (geometry.attributes?.[kind] ?? []).find((entry) => entry.name === name)?.val;
  const numbers = (value, count) =>
    Array.isArray(value) && value.length >= count && value.slice(0, count).every(Number.isFinite);

  function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  // One flat list of geometries a frame, in the order of time.
  function read(openlabel) {
    const objects = openlabel.objects ?? {};
    const timestamp = (frame) => frame.frame_properties?.timestamp;
    frames = Object.entries(openlabel.frames ?? {}).map(([id, frame]) => {
      const shapes = [];
      for (const [objectId, found] of Object.entries(frame.objects ?? {})) {
        const { name = objectId, type = "(unknown)" } = objects[objectId] ?? {};
        for (const kind of ["bbox", "cuboid", "image"]) {
          for (const geometry of found.object_data?.[kind] ?? []) {
            if (kind === "bbox" && !numbers(geometry.val, 4)) continue;
            if (kind === "cuboid" && !numbers(geometry.val, 10)) continue;
            const stream = attribute(geometry, "text", "stream") ?? NO_STREAM;
            shapes.push({ kind, objectId, name, type, stream, val: geometry.val, confidence: attribute(geometry, "num", "confidence") });
          }
        }
      }
      return { id, timestamp: timestamp(frame), shapes };
    });
    frames.sort((a, b) => Number(a.timestamp ?? a.id) - Number(b.timestamp ?? b.id));
    for (const ontology of Object.values(openlabel.ontologies ?? {})) {
      for (const [level, name] of Object.entries(ontology?.classifications ?? {})) {
        levels[level] = typeof name === "string" ? name : name?.name ?? level;
      }
    }
    const shapes = frames.flatMap((frame) => frame.shapes);
    classes = [...new Set([
      ...shapes.filter((shape) => shape.kind !== "image").map((shape) => shape.type), ...Object.values(levels),
    ])].sort();
    const flat = shapes.filter((shape) => shape.kind !== "cuboid");
    cameras = [...new Set(flat.map((shape) => shape.stream))].sort().map((stream) => ({
      stream, ...cameraSize(openlabel.streams?.[stream], flat.filter((shape) => shape.stream === stream && shape.kind === "bbox")),
    }));
    const cuboids = shapes.filter((shape) => shape.kind === "cuboid");
    top = cuboids.length ? { extent: extentFromAbove(cuboids) } : null;
  }

  function cameraSize(stream, boxes) {
    const lens = stream?.stream_properties?.intrinsics_pinhole ?? stream?.stream_properties?.intrinsics_fisheye;
    if (lens?.width_px > 0 && lens?.height_px > 0) return { width: lens.width_px, height: lens.height_px, known: true };
    let width = 1, height = 1;
    for (const { val: [x, y, w, h] } of boxes) {
      width = Math.max(width, x + w / 2);
      height = Math.max(height, y + h / 2);
    }
    return { width: boxes.length ? width : 16, height: boxes.length ? height : 9, known: false };
  }

  function corners([x, y, , qx, qy, qz, qw, width, length]) {
    const yaw = Math.atan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz));
    const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)];
    // Forward is along y: the width lies along x, the length along y.
    const at = (u, v) => [x + u * cos - v * sin, y + u * sin + v * cos];
    const [w, l] = [width / 2, length / 2];
    return { outline: [at(-w, -l), at(w, -l), at(w, l), at(-w, l)], centre: [x, y], nose: at(0, l) };
  }

  function extentFromAbove(cuboids) {
    const points = [[-3, -5], [3, 5], ...cuboids.flatMap((shape) => corners(shape.val).outline)];
    const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
    const least = (all) => all.reduce((a, b) => Math.min(a, b)), most = (all) => all.reduce((a, b) => Math.max(a, b));
    return { left: least(xs) - 2, right: most(xs) + 2, back: least(ys) - 2, front: most(ys) + 2 };
  }

  function figure(title, note) {
    const made = element("figure");
    const caption = element("figcaption");
    caption.append(element("strong", title), element("span", note));
    const canvas = element("canvas", undefined, { role: "img", "aria-label": title });
    made.append(caption, canvas);
    return { figure: made, canvas };
  }

  function build() {
    const views = byId("views");
    const column = element("div", undefined, { class: "cameras" });
    for (const camera of cameras) {
      const size = `${Math.ceil(camera.width)} x ${Math.ceil(camera.height)} px`;
      camera.note = camera.known ? size : `${size}, the extent of its boxes`;
      Object.assign(camera, figure(camera.stream, camera.note));
      column.append(camera.figure);
    }
    if (cameras.length) views.append(column);
    if (top) {
      const { left, right, back, front } = top.extent;
      Object.assign(top, figure("From above", `${Math.round(right - left)} x ${Math.round(front - back)} m, forward is up`));
      views.append(top.figure);
    }
    views.classList.toggle("both", Boolean(cameras.length && top));
    if (!cameras.length && !top) views.append(element("p", "There is nothing to draw in this document.", { class: "empty" }));
    views.append(byId("details"));
    const slider = byId("slider");
    slider.max = Math.max(0, frames.length - 1);
    slider.disabled = frames.length < 2;
  }

  // A canvas as wide as its place, in device pixels; returns a context that counts in CSS pixels.
  function prepare(canvas, ratio, limit) {
    const width = canvas.clientWidth || 600;
    const height = Math.min(width * ratio, limit);
    const scale = window.devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = "11px system-ui, sans-serif";
    return { context, width, height };
  }

  const label = ({ type, confidence }) => (Number.isFinite(confidence) ? `${type} ${confidence.toFixed(2)}` : type);

  function tag(context, text, x, y, fill, width) {
    const wide = context.measureText(text).width + 6;
    const left = Math.max(0, Math.min(x, width - wide)), upper = Math.max(0, y - 14);
    context.fillStyle = fill;
    context.fillRect(left, upper, wide, 14);
    context.fillStyle = "#fff";
    context.fillText(text, left + 3, upper + 10.5);
  }

  function drawCamera(camera, shapes) {
    const picture = shapes.find((shape) => shape.kind === "image");
    const ready = picture && segmentation(picture.val);
    const size = ready ? { width: ready.width, height: ready.height } : camera;
    if (ready) camera.figure.querySelector("figcaption span").textContent = `${ready.width} x ${ready.height} px`;
    const { context, width, height } = prepare(camera.canvas, size.height / size.width, 760);
    const scale = Math.min(width / size.width, height / size.height);
    const x0 = (width - size.width * scale) / 2;
    context.strokeStyle = style("--grid");
    context.strokeRect(x0 + .5, .5, size.width * scale - 1, size.height * scale - 1);
    if (ready) {
      context.imageSmoothingEnabled = false;
      context.drawImage(ready, x0, 0, size.width * scale, size.height * scale);
    }
    // Large ones first, so that small ones stay visible on top; labels last.
    const boxes = shapes.filter((shape) => shape.kind === "bbox").sort((a, b) => b.val[2] * b.val[3] - a.val[2] * a.val[3]);
    for (const box of boxes) {
      const [x, y, w, h] = box.val.map((value) => value * scale);
      context.lineWidth = 1.75;
      context.strokeStyle = colour(box.type);
      context.fillStyle = `${colour(box.type)}22`;
      context.fillRect(x0 + x - w / 2, y - h / 2, w, h);
      context.strokeRect(x0 + x - w / 2, y - h / 2, w, h);
    }
    for (const box of boxes) {
      const [x, y, w, h] = box.val.map((value) => value * scale);
      tag(context, label(box), x0 + x - w / 2, y - h / 2, colour(box.type), width);
    }
  }

  // The bitmap with every grey level in the colour of its class; drawn again once the browser has decoded it.
  function segmentation(base64) {
    if (typeof base64 !== "string") return null;
    if (!images.has(base64)) {
      images.set(base64, null);
      const image = new Image();
      image.onload = () => {
        const canvas = element("canvas", undefined, { width: image.width, height: image.height });
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        const pixels = context.getImageData(0, 0, image.width, image.height);
        for (let i = 0; i < pixels.data.length; i += 4) {
          const name = levels[String(pixels.data[i])];
          if (name === undefined) continue;
          const rgb = parseInt(colour(name).slice(1), 16);
          pixels.data.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, name === "_background" ? 40 : 215], i);
        }
        context.putImageData(pixels, 0, 0);
        images.set(base64, canvas);
        draw();
      };
      image.onerror = () => problem("The segmentation bitmap is no picture that the browser can read.");
      image.src = `data:image/png;base64,${base64}`;
    }
    return images.get(base64);
  }

  function drawTop(shapes) {
    const { left, right, back, front } = top.extent;
    const { context, width, height } = prepare(top.canvas, (front - back) / (right - left), 640);
    const scale = Math.min(width / (right - left), height / (front - back));
    const [middleX, middleY] = [(left + right) / 2, (back + front) / 2];
    const place = ([x, y]) => [width / 2 + (x - middleX) * scale, height / 2 - (y - middleY) * scale];
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((metres) => metres * scale >= 45) ?? 1000;
    context.lineWidth = 1;
    context.strokeStyle = style("--grid");
    context.fillStyle = style("--muted");
    context.beginPath();
    const [fromX, toX] = [middleX - width / 2 / scale, middleX + width / 2 / scale];
    const [fromY, toY] = [middleY - height / 2 / scale, middleY + height / 2 / scale];
    for (let x = Math.ceil(fromX / step) * step; x <= toX; x += step) {
      const [at] = place([x, 0]);
      context.moveTo(at, 0);
      context.lineTo(at, height);
      context.fillText(`${x}`, at + 3, height - 4);
    }
    for (let y = Math.ceil(fromY / step) * step; y <= toY; y += step) {
      const [, at] = place([0, y]);
      context.moveTo(0, at);
      context.lineTo(width, at);
      if (at > 14 && at < height - 20) context.fillText(`${y} m`, 3, at - 3);
    }
    context.stroke();
    // The sensor stands at the origin.
    const [egoX, egoY] = place([0, 0]);
    context.fillStyle = style("--ego");
    context.beginPath();
    context.moveTo(egoX, egoY - 8);
    context.lineTo(egoX + 5, egoY + 6);
    context.lineTo(egoX - 5, egoY + 6);
    context.fill();
    for (const shape of shapes.filter((found) => found.kind === "cuboid")) {
      const { outline, centre, nose } = corners(shape.val);
      context.lineWidth = 1.75;
      context.strokeStyle = colour(shape.type);
      context.fillStyle = `${colour(shape.type)}33`;
      context.beginPath();
      outline.forEach((corner, index) => context[index ? "lineTo" : "moveTo"](...place(corner)));
      context.closePath();
      context.fill();
      context.stroke();
      context.beginPath();
      context.moveTo(...place(centre));
      context.lineTo(...place(nose));
      context.stroke();
    }
  }

  function list(shapes) {
    const counts = {};
    const types = new Map(shapes.map((shape) => [shape.objectId, shape.type]));
    for (const type of types.values()) counts[type] = (counts[type] ?? 0) + 1;
    byId("legend").replaceChildren(...classes.map((type) => {
      const item = element("li", undefined, counts[type] || Object.values(levels).includes(type) ? {} : { class: "absent" });
      const swatch = element("i");
      swatch.style.background = colour(type);
      item.append(swatch, counts[type] ? `${type} (${counts[type]})` : type);
      return item;
    }));
    byId("objects").replaceChildren(...shapes.map((shape) => {
      const row = element("tr");
      const values = shape.kind === "image" ? `${String(shape.val).length} characters` : shape.val.map((value) => +value.toFixed(3)).join(", ");
      const confidence = Number.isFinite(shape.confidence) ? shape.confidence.toFixed(2) : "";
      row.append(
        element("td", shape.type), element("td", shape.name), element("td", shape.kind), element("td", shape.stream),
        element("td", confidence, { class: "n" }), element("td", values),
      );
      return row;
    }));
  }

  function draw() {
    const frame = frames[current];
    byId("previous").disabled = current <= 0;
    byId("next").disabled = current >= frames.length - 1;
    byId("slider").value = current;
    if (!frame) return;
    const time = frame.timestamp === undefined ? "" : `, ${frame.timestamp} ms`;
    byId("frame-label").value = `frame ${frame.id} (${current + 1} of ${frames.length})${time}`;
    for (const camera of cameras) drawCamera(camera, frame.shapes.filter((shape) => shape.stream === camera.stream));
    if (top) drawTop(frame.shapes);
    list(frame.shapes);
  }

  function problem(text) {
    byId("problem").textContent = text;
    byId("problem").hidden = false;
  }

  function show(index) {
    current = Math.max(0, Math.min(frames.length - 1, index));
    history.replaceState(null, "", `#frame=${encodeURIComponent(frames[current]?.id ?? "")}`);
    draw();
  }

  function start() {
    read(JSON.parse(byId("document").textContent).openlabel ?? {});
    build();
    const wanted = decodeURIComponent(/^#frame=(.+)$/.exec(location.hash)?.[1] ?? "");
    current = Math.max(0, frames.findIndex((frame) => frame.id === wanted));
    draw();
    byId("slider").addEventListener("input", (event) => show(Number(event.target.value)));
    byId("previous").addEventListener("click", () => show(current - 1));
    byId("next").addEventListener("click", () => show(current + 1));
    document.addEventListener("keydown", (event) => {
      if (event.target instanceof HTMLInputElement || event.ctrlKey || event.altKey || event.metaKey) return;
      const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
      if (move === undefined) return;
      event.preventDefault();
      show(current + move);
    });
    window.addEventListener("resize", draw);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  try {
    start();
  } catch (error) {
    problem(`This document cannot be drawn: ${error.message}.`);
  }
})();
