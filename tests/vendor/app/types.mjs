// Holds answers and events against the SDK's own types. Reads lines of JSON, each a list of `[name, JSON]`, a name being
// `GET /api/v3/users` or an event's; writes a line for each, the list of what is not as typed, `[name, place: what]`.
import { createInterface } from "node:readline";
import ts from "typescript";

const here = new URL(".", import.meta.url).pathname;
const program = ts.createProgram([`${here}answers.ts`], {
  strict: true, skipLibCheck: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], moduleResolution: ts.ModuleResolutionKind.Node10,
}); // prettier-ignore
const checker = program.getTypeChecker();
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(`${here}answers.ts`)));
const [answers, events] = ["Answers", "Events"].map((name) => {
  const type = checker.getDeclaredTypeOfSymbol(exported.find((each) => each.name === name));
  return new Map(checker.getPropertiesOfType(type).map((each) => [each.name, checker.getTypeOfSymbol(each)]));
});

const BY_PATH = [
  [/network-settings\/feed/, "feedSettings"], [/ads\/me/, "ads"], [/semantic-search\/posts/, "searchedPosts"],
  [/semantic-search\/communities/, "searchedCommunities"], [/stor(y|ies)/, null], [/markers\/sync/, "markerSync"],
  [/markers\/messages$/, "contentMarkers"], [/(read|delivered)-users$/, "reached"],
  [/markers\/channels$/, "channelMarkers"], [/presence\/settings/, "presence"],
  [/(files|images|videos|audios|clips)(\/[^/]+)?$/, "file"],
]; // prettier-ignore
/** The fields that tell an answer's kind, the most telling first. */
const BY_FIELDS = [
  ["notificationTrayItems", "tray"], ["lastTrayOccurredAt", "traySeen"], ["userFeedMarkers", "feedMarkers"],
  ["followCounts", "followInfo", "follows"], ["follows", "follows"], ["eventResponses", "rsvps"],
  ["joinRequests", "joinRequests"], ["invitations", "invitations"], ["pins", "pins"], ["postChildren", "posts"],
  ["commentChildren", "comments"], ["communityUsers", "communities"], ["events", "events"], ["rooms", "rooms"],
  ["channelUsers", "channels"], ["messages", "messages", "reactions"], ["messageFeeds", "feeds"],
  ["polls", "polls"], ["products", "products"], ["roles", "roles"], ["categories", "categories"],
  ["reactions", "reactions", "users"], ["users", "users"],
]; // prettier-ignore

function typed(name, value) {
  const path = name.split(" ")[1];
  if (path === undefined) return events.get(name);
  if ("success" in value) return undefined;
  const known = BY_PATH.find(([pattern]) => pattern.test(path));
  if (known) return answers.get(known[1]);
  const found = BY_FIELDS.find(([field, , more]) => field in value && (more === undefined || more in value));
  return found && answers.get(found[1]);
}

const Flags = ts.TypeFlags;
const said = (type) => checker.typeToString(type).slice(0, 80);

/** Adds to `faults` what of a value is not of a type; what types cannot say (functions, conditions) is let through. */
function check(type, value, place, faults, depth = 0) {
  const wrong = () => faults.push(`${place}: ${JSON.stringify(value)?.slice(0, 60)} is no ${said(type)}`);
  const { flags } = type;
  if (depth > 12 || flags & (Flags.Any | Flags.Unknown | Flags.Never | Flags.TypeParameter | Flags.Conditional)) return;
  if (type.isUnion()) {
    const tries = type.types.map((each) => {
      const found = [];
      check(each, value, place, found, depth + 1);
      return [each, found];
    });
    if (tries.some(([, found]) => !found.length)) return;
    const objects = typeof value === "object" && value ? tries.filter(([each]) => each.flags & (Flags.Object | Flags.Intersection)) : [];
    if (!objects.length) return void wrong();
    return void faults.push(...objects.sort(([, one], [, other]) => one.length - other.length)[0][1]);
  }
  if (flags & (Flags.StringLiteral | Flags.NumberLiteral)) return void (value === type.value || wrong());
  if (flags & Flags.BooleanLiteral) return void (String(value) === type.intrinsicName || wrong());
  if (flags & Flags.StringLike) return void (typeof value === "string" || wrong());
  if (flags & Flags.NumberLike) return void (typeof value === "number" || wrong());
  if (flags & Flags.BooleanLike) return void (typeof value === "boolean" || wrong());
  if (flags & Flags.Null) return void (value === null || wrong());
  if (flags & (Flags.Undefined | Flags.Void)) return void (value === undefined || wrong());
  if (!(flags & (Flags.Object | Flags.Intersection)) || type.getCallSignatures().length) return;
  if (checker.isArrayType(type)) {
    if (!Array.isArray(value)) return void wrong();
    const [of] = checker.getTypeArguments(type);
    return void value.forEach((each) => check(of, each, `${place}[]`, faults, depth + 1));
  }
  if (typeof value !== "object" || value === null) return void wrong();
  for (const field of checker.getPropertiesOfType(type)) {
    const inner = checker.getTypeOfSymbol(field);
    const lax = Flags.Any | Flags.Unknown | Flags.Never | Flags.Undefined;
    const may = field.flags & ts.SymbolFlags.Optional || (inner.types ?? [inner]).some((each) => each.flags & lax);
    if (field.name in value) check(inner, value[field.name], `${place}.${field.name}`, faults, depth + 1);
    else if (!may && !inner.getCallSignatures().length) faults.push(`${place}.${field.name}: missing, a ${said(inner)}`);
  }
  const rest = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  if (rest) for (const [key, each] of Object.entries(value)) check(rest, each, `${place}.${key}`, faults, depth + 1);
}

for await (const line of createInterface({ input: process.stdin })) {
  const told = [];
  for (const [name, text] of JSON.parse(line)) {
    const parsed = JSON.parse(text);
    for (const value of Array.isArray(parsed) ? parsed : [parsed]) {
      const type = value && typeof value === "object" && typed(name, value);
      if (!type) continue;
      const faults = [];
      check(type, value, "", faults);
      told.push(...faults.map((fault) => [name, fault.slice(1)]));
    }
  }
  console.log(JSON.stringify(told));
}
