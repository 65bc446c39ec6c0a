// Asking the command that serves this page. The token comes in the URL's fragment, is
// taken out of it, so that it is in no history, and kept for as long as the tab is.

const kept = "plimsoll-token";

async function request(path, token, signal) {
  let response;
  try {
    response = await fetch(path, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store", signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Gone("kubectl plimsoll dashboard does not answer: it has been ended");
  }
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error), { status: response.status });
  return body;
}

// Gone is the error of a command that does not answer.
export class Gone extends Error {}

let token = null;

// enter finds the token.
export async function enter() {
  const given = new URLSearchParams(location.hash.slice(1));
  const ticket = given.get("ticket");
  token = given.get("token") ?? sessionStorage.getItem(kept) ?? "";
  if (given.has("token") || ticket) history.replaceState(null, "", location.pathname);
  if (ticket) token = (await request("/api/token", ticket)).token;
  sessionStorage.setItem(kept, token);
}

// get asks for what is at the path.
export function get(path, parameters = {}, signal) {
  const query = new URLSearchParams(parameters);
  return request(`${path}?${query}`, token, signal);
}
