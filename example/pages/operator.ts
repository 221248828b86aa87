/**
 * The operator's page. Without a script it shows the figures of its moment; public/operator.js draws them and
 * keeps them those of now.
 */
import { html, type Html } from '../html.ts';
import { microsecondsText, type View } from '../operator/view.ts';

export const operatorHead = html`<link rel="stylesheet" href="/assets/uplot.css" />
  <script src="/assets/uplot.js" defer></script>
  <script src="/assets/operator.js" defer></script>`;

export function operatorPage(view: View): Html {
  const { trouble, states, rows, commands, latencies } = view;
  return html`<div class="problem" id="trouble" role="alert" ${trouble === undefined && 'hidden'}>
      <h2>${trouble?.title}</h2>
      <p>${trouble?.text}</p>
    </div>
    <p class="notice fair" id="still">These are the figures of this moment. <a href="/operator">Load the page again</a> for newer ones.</p>
    <ul class="states" id="states" aria-label="State">
      ${states.map(
        ({ title, value, level, text }) =>
          html`<li class="${level}"><span class="title">${title}</span> <b>${value}</b> <span class="text">${text}</span></li>`,
      )}
    </ul>
    <div class="charts" id="charts" hidden>
      ${chart('sessions', 'Sessions', 'How many there are')} ${chart('rates', 'Per second', 'Created, expired and evicted')}
      ${chart('commands', 'Commands', commands.text)}
      <div id="memories"></div>
      ${chart('latencies', 'Latency', 'Half, 99 % and 99.9 % of a command’s calls took no longer, since the start')}
    </div>
    <section class="card" aria-labelledby="figures-title">
      <h2 id="figures-title">Figures</h2>
      <div class="tables">
        <table id="figures">
          <caption>
            Sessions and memory
          </caption>
          <thead>
            <tr>
              <th scope="col">Figure</th>
              <th scope="col" class="number">Now</th>
            </tr>
          </thead>
          <tbody>
            ${rows.map(
              ({ label, value }) =>
                html`<tr>
                  <th scope="row">${label}</th>
                  <td class="number">${value}</td>
                </tr>`,
            )}
          </tbody>
        </table>
        ${latencyTable(latencies)}
      </div>
      <p class="small">The figures are asked for every second while this page is seen, which counts as use of your session.</p>
    </section>`;
}

function chart(id: string, title: string, subtitle: string): Html {
  return html`<figure class="card chart" id="chart-${id}" aria-describedby="figures-title">
    <figcaption>
      <b>${title}</b>
      <span>${subtitle}</span>
    </figcaption>
    <div class="plot"></div>
    <p class="empty" hidden></p>
  </figure>`;
}

function latencyTable(latencies: View['latencies']): Html {
  return html`<table id="latency-table">
    <caption>
      Latency, µs
    </caption>
    <thead>
      <tr>
        <th scope="col">Command</th>
        <th scope="col" class="number">50 %</th>
        <th scope="col" class="number">99 %</th>
        <th scope="col" class="number">99.9 %</th>
      </tr>
    </thead>
    <tbody>
      ${latencies.map(
        ({ command, p50, p99, p999 }) =>
          html`<tr>
            <th scope="row">${command}</th>
            <td class="number">${microsecondsText(p50)}</td>
            <td class="number">${microsecondsText(p99)}</td>
            <td class="number">${microsecondsText(p999)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
