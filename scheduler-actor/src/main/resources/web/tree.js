"use strict";
// Draws the tree that /troupe/tree/stream tells: first a snapshot, then the nodes that changed. EventSource connects again by
// itself, and then gets a new snapshot. All text goes in as text nodes: what a worker prints is never read as HTML.

const tree = { system: "", seq: 0, nodes: new Map() };
const TONES = {
  READY: "good", BUSY: "busy", PREPARING: "waiting", STARTING: "waiting", DRAINING: "waiting", STOPPING: "waiting", BACKING_OFF: "bad", FAILED: "bad",
  Up: "good", WeaklyUp: "good", Joining: "waiting", Leaving: "waiting", Exiting: "waiting", Down: "bad", Unreachable: "bad",
  SUBSCRIBED: "good", DISCONNECTED: "bad", REMOVED: "bad", FAILED_OVER: "waiting",
};

function make(tag, cls, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  for (const child of children) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

const pill = (state) => make("span", "pill " + (TONES[state] || "waiting"), state);
const by = (id) => document.getElementById(id);

function bytes(n) {
  if (!n) return "–";
  return n >= 1 << 30 ? (n / (1 << 30)).toFixed(1) + " GiB" : (n / (1 << 20)).toFixed(1) + " MiB";
}

function since(text) {
  if (!text) return "–";
  const s = Math.max(0, Math.round((Date.now() - Date.parse(text)) / 1000));
  return s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min" : Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
}

const sizeText = (size) => (size !== null && typeof size === "object" ? size.min + " – " + size.max : String(size));

function table(heads, rows) {
  const head = make("tr", "", ...heads.map(([text, cls]) => make("th", cls || "", text)));
  return make("table", "", make("thead", "", head), make("tbody", "", ...rows));
}

function row(cells) {
  return make("tr", "", ...cells.map(([content, cls]) => make("td", cls || "", content)));
}

function causeText(cause) {
  if (!cause) return "";
  const node = make("span", "", cause.kind + ": " + cause.message);
  if (cause.lastOutput && cause.lastOutput.length) node.title = cause.lastOutput.join("\n");
  return node;
}

function workers(node) {
  if (!node.workers || !node.workers.length) return make("div", "none", "no workers");
  const heads = [["worker"], ["state"], ["pid", "number"], ["memory", "number"], ["cpu", "number"], ["up"], ["job"],
    ["jobs done", "number"], ["restarts", "number"], ["last cause"]];
  return table(heads, node.workers.map((w) => {
    const p = w.process;
    const id = make("span", "", w.id);
    if (p) id.title = p.command;
    return row([[id, "mono"], [pill(w.state)], [p ? String(p.pid) : "–", "number mono"], [p ? bytes(p.rss) : "–", "number"],
      [p ? p.cpuPercent.toFixed(0) + " %" : "–", "number"], [p ? since(p.startedAt) : "–"], [w.job || "–", "mono"],
      [w.jobs.toLocaleString(), "number"], [String(w.restarts), "number"], [causeText(w.cause), "cause"]]);
  }));
}

function actors(node) {
  return make("ul", "actors", ...(node.actors || []).map((a) =>
    make("li", "", make("span", "mono", a.path), " ", make("span", "quiet", a.kind))));
}

function card(node) {
  const scheduler = node.role === "scheduler";
  const head = make("div", "head", make("strong", "", scheduler ? "scheduler" : "supervisor" + (node.pool ? " of " + node.pool : "")),
    pill(node.status), node.host ? make("span", "", node.host) : null, make("span", "mono", node.address));
  if (!scheduler && node.agentId) head.append(make("span", "mono end", "agent " + node.agentId));
  return make("div", "card", head, make("div", "body", scheduler ? actors(node) : workers(node)));
}

function pools(node) {
  if (!node || !node.pools || !node.pools.length) return make("div", "quiet", "No pools yet: bin/troupe pool apply conf/pools/code-metrics.conf");
  const heads = [["pool"], ["size"], ["wanted", "number"], ["running", "number"], ["queued", "number"], ["active", "number"],
    ["succeeded", "number"], ["failed", "number"], ["dead", "number"], ["workers ended by"]];
  return table(heads, node.pools.map((p) => row([[make("strong", "", p.name)], [sizeText(p.size)], [String(p.wanted), "number"],
    [String(p.running), "number"], [p.queued.toLocaleString(), "number"], [p.active.toLocaleString(), "number"],
    [p.succeeded.toLocaleString(), "number"], [p.failed.toLocaleString(), "number"], [p.dead.toLocaleString(), "number"],
    [Object.entries(p.causes || {}).map(([k, v]) => k + " " + v).join(", ") || "–"]])));
}

function total(value, name) {
  return make("div", "total", make("b", "", value), make("span", "", name));
}

function draw() {
  const all = [...tree.nodes.values()].sort((a, b) =>
    (a.role === b.role ? 0 : a.role === "scheduler" ? -1 : 1) || (a.pool || "").localeCompare(b.pool || "") || a.address.localeCompare(b.address));
  const scheduler = all.find((n) => n.role === "scheduler" && n.pools);
  const supervisors = all.filter((n) => n.role !== "scheduler");
  const crew = supervisors.flatMap((n) => n.workers || []);
  const list = (scheduler && scheduler.pools) || [];
  const sum = (key) => list.reduce((n, p) => n + p[key], 0).toLocaleString();
  const framework = scheduler && scheduler.framework;
  by("framework").replaceChildren(...(framework ? [pill(framework.state), " Mesos " + (framework.master || "not found yet")] : []));
  by("totals").replaceChildren(total(String(supervisors.length), "supervisors"), total(String(crew.length), "workers"),
    total(String(crew.filter((w) => w.state === "BUSY").length), "busy"),
    total(bytes(crew.reduce((n, w) => n + (w.process ? w.process.rss : 0), 0)), "Python memory"),
    total(sum("queued"), "queued"), total(sum("active"), "running"), total(sum("succeeded"), "succeeded"));
  by("pools").replaceChildren(pools(scheduler));
  by("nodes").replaceChildren(...all.map(card));
  by("seq").textContent = "change " + tree.seq;
}

function linked(ok) {
  by("link").textContent = ok ? "live" : "connection lost, trying again";
  by("link").className = "pill " + (ok ? "good" : "bad");
  document.body.classList.toggle("stale", !ok);
}

const stream = new EventSource("tree/stream");
stream.addEventListener("snapshot", (event) => {
  const snapshot = JSON.parse(event.data);
  tree.system = snapshot.system;
  tree.seq = snapshot.seq;
  tree.nodes = new Map(snapshot.nodes.map((node) => [node.address, node]));
  linked(true);
  draw();
});
stream.addEventListener("delta", (event) => {
  const delta = JSON.parse(event.data);
  tree.seq = delta.seq;
  delta.nodes.forEach((node) => tree.nodes.set(node.address, node));
  delta.removed.forEach((address) => tree.nodes.delete(address));
  draw();
});
stream.onerror = () => {
  linked(false);
  // A browser gives up after some answers, such as an error page of a scheduler that is just starting.
  if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 2000);
};
