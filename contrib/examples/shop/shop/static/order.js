// Shows the order's state as the shop's own server knows it; the checkout only says when it is worth asking.
const state = document.getElementById("state");

async function look() {
  const answer = await fetch(`/orders/${state.dataset.order}.json`);
  const told = await answer.json();
  state.textContent = told.state;
  return told.shipped;
}

// The webhook may come a moment after the checkout has told the buyer.
async function follow() {
  for (let pause = 250; !(await look()) && pause < 10_000; pause *= 2) await new Promise((done) => setTimeout(done, pause));
}

document.addEventListener("pepay:status", follow);
document.addEventListener("pepay:close", follow);
