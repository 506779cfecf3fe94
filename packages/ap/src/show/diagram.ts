/** A box of a picture and what hangs below it. */
export interface DiagramNode {
  readonly title: string;
  readonly lines: readonly string[];
  /** What the line from the box above means. */
  readonly edge?: string;
  readonly children?: readonly DiagramNode[];
}

/** A box with its place, in columns and rows of characters. */
export interface PlacedBox {
  readonly title: string;
  readonly lines: readonly string[];
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A line from one box down to another. */
export interface PlacedEdge {
  readonly x: number;
  readonly fromY: number;
  readonly toY: number;
  readonly label: string;
}

/** A picture that is ready to be drawn on any medium. */
export interface Layout {
  readonly boxes: readonly PlacedBox[];
  readonly edges: readonly PlacedEdge[];
  readonly width: number;
  readonly height: number;
}

const GAP = 2;
const EDGE_HEIGHT = 2;
const EDGE_INDENT = 3;

/**
 * Places boxes from the top down. A box is as wide as all that hangs below it, so that every line runs straight down and
 * none crosses another.
 */
export function layOut(root: DiagramNode): Layout {
  const boxes: PlacedBox[] = [];
  const edges: PlacedEdge[] = [];
  const place = (node: DiagramNode, x: number, y: number, width: number): void => {
    const height = node.lines.length + 2;
    boxes.push({ title: node.title, lines: node.lines, x, y, width, height });
    const children = node.children ?? [];
    const needed = widthBelow(children);
    // What a wide box has to spare goes to its last child, so that edges of boxes line up.
    let left = x;
    for (const [n, child] of children.entries()) {
      const last = n === children.length - 1;
      const own = widthOf(child) + (last ? Math.max(0, width - needed) : 0);
      const toY = y + height + EDGE_HEIGHT;
      edges.push({ x: left + EDGE_INDENT, fromY: y + height - 1, toY, label: child.edge ?? '' });
      place(child, left, toY, own);
      left += own + GAP;
    }
  };
  place(root, 0, 0, widthOf(root));
  return {
    boxes,
    edges,
    width: Math.max(...boxes.map((box) => box.x + box.width)),
    height: Math.max(...boxes.map((box) => box.y + box.height)),
  };
}

function widthOf(node: DiagramNode): number {
  const text = Math.max(node.title.length + 2, ...node.lines.map((line) => line.length));
  const edge = (node.edge?.length ?? 0) + EDGE_INDENT + 2;
  return Math.max(text + 4, edge, widthBelow(node.children ?? []));
}

function widthBelow(children: readonly DiagramNode[]): number {
  return children.reduce((sum, child, n) => sum + widthOf(child) + (n > 0 ? GAP : 0), 0);
}
