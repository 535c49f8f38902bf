"use strict";
// Draws the page of a report from the JSON that stands in it. Figures are drawn when they come into view.

const report = JSON.parse(document.getElementById("report").textContent);
const drawn = new Map(); // element of a figure: the function that draws it
const seen = new Set();

function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        name === "class" ? element.className = value : element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
}

function colours() {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["ink", "soft", "paper", "line"].map(name => [name, style.getPropertyValue("--" + name).trim()]));
}

function themed(layout) {
    const {ink, soft, line} = colours();
    const lines = {gridcolor: line, zerolinecolor: line, linecolor: line, tickcolor: line, automargin: true};
    const out = {margin: {l: 60, r: 20, t: 34, b: 48}, height: 380, font: {color: ink, family: "system-ui, sans-serif", size: 12},
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hoverlabel: {namelength: -1},
        modebar: {bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink},
        legend: {font: {color: soft}, traceorder: "normal"}, ...layout};
    out.xaxis = {...lines, ...layout.xaxis};
    out.yaxis = {...lines, ...layout.yaxis};
    return out;
}

function draw(element, data, layout) {
    return Plotly.react(element, data, themed(layout), {responsive: true, displaylogo: false,
        modeBarButtonsToRemove: ["lasso2d", "select2d"], toImageButtonOptions: {format: "svg"}});
}

function picker(label, options, changed) {
    const group = make("div", {class: "picks", role: "group", "aria-label": label});
    if (label) group.append(make("span", {class: "soft"}, label));
    const buttons = options.map(([key, name], place) => {
        const button = make("button", {type: "button", "aria-pressed": String(place === 0)}, name);
        button.addEventListener("click", () => {
            buttons.forEach(one => one.setAttribute("aria-pressed", String(one === button)));
            changed(key);
        });
        return button;
    });
    group.append(...buttons);
    return group;
}

function plot_of(figure, id) {
    const section = make("section", {id});
    section.append(make("h2", {}, figure.title));
    if (figure.note) section.append(make("p", {class: "note"}, figure.note));
    const place = make("div", {class: "drawing"});
    let show;
    if (figure.kind === "curves") {
        let x = Object.keys(figure.x)[0], y = Object.keys(figure.y)[0];
        section.append(picker("over", Object.entries(figure.x), key => { x = key; show(); }),
            ...Object.keys(figure.y).length > 1 ? [picker("what", Object.entries(figure.y), key => { y = key; show(); })] : []);
        show = () => draw(place, figure.series.filter(run => run[x] && run[y]).map(run => ({type: "scatter", mode: run[x].length > 60 ? "lines" : "lines+markers",
            name: run.name, connectgaps: true, x: run[x], y: run[y], line: {color: run.colour}})),
            {xaxis: {title: {text: figure.x[x]}}, yaxis: {title: {text: figure.y[y]}}, showlegend: true});
    } else {
        let variant = figure.variants[0];
        if (figure.variants.length > 1) {
            section.append(picker("", figure.variants.map((one, number) => [number, one.name]),
                number => { variant = figure.variants[number]; show(); }));
        }
        show = () => draw(place, variant.data, variant.layout);
    }
    if (figure.kind === "curves" || figure.variants.length) {
        section.append(place);
        place.style.minHeight = "300px";
        drawn.set(place, show);
        watcher.observe(place);
    }
    return section;
}

const watcher = new IntersectionObserver(entries => {
    for (const entry of entries) if (entry.isIntersecting) first_draw(entry.target);
}, {rootMargin: "300px"});

function first_draw(place) {
    watcher.unobserve(place);
    if (!seen.has(place)) {
        seen.add(place);
        drawn.get(place)();
    }
}

function copy(text, button) {
    const said = button.textContent;
    const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = said; }, 1500); };
    const by_selection = () => {
        const area = make("textarea", {style: "position: fixed; opacity: 0"});
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        done();
    };
    navigator.clipboard ? navigator.clipboard.writeText(text).then(done, by_selection) : by_selection();
}

// Columns: [name, unit, is text]; a cell is its text or [text, value to sort by].
function table_of(table) {
    const box = make("details", table.open ? {open: ""} : {});
    const button = make("button", {type: "button"}, "copy");
    box.append(make("summary", {}, `${table.title} (${table.rows.length})`), make("p", {class: "note"}, table.note + " ", button));
    const heads = table.columns.map(([name, unit, is_text], column) => {
        const head = make("th", is_text ? {class: "text"} : {}, name);
        if (unit) head.title = unit;
        head.addEventListener("click", () => sort(column, head));
        return head;
    });
    const body = make("tbody");
    const shown = cell => Array.isArray(cell) ? cell[0] : cell;
    const value = cell => Array.isArray(cell) ? cell[1] : cell;
    let rows = table.rows;
    function fill() {
        body.replaceChildren(...rows.map(row => make("tr", {}, ...row.map((cell, column) =>
            make("td", table.columns[column][2] ? {class: "text"} : {}, String(shown(cell)))))));
    }
    function sort(column, head) {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach(one => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, {numeric: true});
        rows = [...rows].sort((a, b) => (up ? 1 : -1) * order(value(a[column]), value(b[column])));
        fill();
    }
    button.addEventListener("click", () => copy([table.columns.map(([name, unit]) => unit && unit !== "1" ? `${name} (${unit})` : name),
        ...rows.map(row => row.map(value))].map(row => row.join("\t")).join("\n"), button));
    box.append(make("div", {class: "scroll"}, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body)));
    let filled = false;
    const once = () => { if (!filled) { filled = true; fill(); } };
    table.open ? once() : box.addEventListener("toggle", once);
    box.fill_now = () => { once(); box.open = true; };
    return box;
}

function head_of(run) {
    const section = make("section", {id: "run"}, make("h2", {}, run.name));
    if (run.warning) section.append(make("p", {class: "warn"}, run.warning));
    section.append(make("p", {class: "soft"}, run.about));
    section.append(make("div", {class: "key"}, ...run.figures_of_merit.map(([name, value]) => make("div", {}, make("b", {}, value), make("span", {}, name)))));
    if (run.repeat) {
        const button = make("button", {type: "button"}, "copy");
        button.addEventListener("click", () => copy(run.repeat, button));
        section.append(make("h3", {}, "The same run again ", button), make("pre", {}, run.repeat));
    }
    return section;
}

function show_run(run) {
    drawn.clear();
    seen.clear();
    const main = document.querySelector("main");
    const links = document.getElementById("links");
    main.replaceChildren();
    links.replaceChildren();
    const add = (section, name) => {
        main.append(section);
        links.append(make("a", {href: "#" + section.id}, name));
    };
    if (report.comparison) {
        const section = make("section", {id: "all"}, make("h2", {}, "All runs"), ...report.comparison.tables.map(table_of));
        add(section, "All runs");
    }
    if (report.curves) add(plot_of(report.curves, "quality"), "Quality");
    add(head_of(run), "Run");
    run.figures.forEach((figure, number) => add(plot_of(figure, "figure" + number), figure.short));
    add(make("section", {id: "tables"}, make("h2", {}, "Tables"), make("p", {class: "note"}, "Click a column's head to sort."),
        ...run.tables.map(table_of)), "Tables");
}

function set_theme(name) {
    document.documentElement.dataset.theme = name;
    for (const place of seen) drawn.get(place)();
}

const theme = document.getElementById("theme");
theme.addEventListener("click", () => set_theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
const runs = document.getElementById("runs");
runs.append(...report.runs.map((run, number) => make("option", {value: number}, run.name)));
runs.hidden = report.runs.length < 2;
runs.addEventListener("change", () => show_run(report.runs[runs.value]));
window.addEventListener("beforeprint", () => {
    set_theme("light");
    document.querySelectorAll("details").forEach(box => box.fill_now());
    [...drawn.keys()].forEach(first_draw);
});
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
show_run(report.runs[0]);
