// Tabs as the ARIA practices have them: arrows move, Home and End jump, only the chosen one is in the order of Tab.

import { el } from "./dom.js";

export class Tabs {
  /**
   * @param {HTMLElement} list of the tabs
   * @param {HTMLElement} panels where their panels go
   * @param {(id: string) => void} chosen told of every change
   */
  constructor(list, panels, chosen) {
    Object.assign(this, { list, panels, chosen, views: [], open: null });
    list.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Shows other tabs: [id, title, make], of which `make` builds {element, shown?, hidden?} when it is first looked at. */
  replace(views) {
    this.close();
    this.views = views.map(([id, title, make]) => ({ id, title, make, view: null, tab: null, panel: null }));
    this.list.replaceChildren(
      ...this.views.map((of) => {
        of.tab = el(
          "button",
          {
            type: "button",
            role: "tab",
            id: `tab-${of.id}`,
            "aria-controls": `panel-${of.id}`,
            "aria-selected": "false",
            tabindex: "-1",
            onclick: () => this.show(of.id),
          },
          of.title,
        );
        return of.tab;
      }),
    );
    this.panels.replaceChildren(
      ...this.views.map((of) => {
        of.panel = el("div", {
          role: "tabpanel",
          id: `panel-${of.id}`,
          "aria-labelledby": `tab-${of.id}`,
          hidden: true,
        });
        return of.panel;
      }),
    );
  }

  close() {
    this.open?.view?.hidden?.();
    for (const of of this.views) of.view?.closed?.();
    this.open = null;
  }

  show(id, focus = false) {
    const next = this.views.find((of) => of.id === id) ?? this.views[0];
    if (!next) return;
    if (this.open !== next) {
      this.open?.view?.hidden?.();
      for (const of of this.views) {
        const chosen = of === next;
        of.tab.setAttribute("aria-selected", String(chosen));
        of.tab.tabIndex = chosen ? 0 : -1;
        of.panel.hidden = !chosen;
      }
      this.open = next;
      if (!next.view) {
        next.view = next.make();
        next.panel.replaceChildren(next.view.element);
      }
      next.view.shown?.();
      this.chosen(next.id);
    }
    next.tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focus) next.tab.focus();
  }

  pressed(event) {
    const place = this.views.indexOf(this.open);
    const last = this.views.length - 1;
    const to = {
      ArrowRight: place === last ? 0 : place + 1,
      ArrowLeft: place === 0 ? last : place - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.show(this.views[to].id, true);
  }
}
