/**
 * `npm run licences`: every crate and npm package that is used here, with its licence, and whether it is in
 * the package. Status 1 when one has a licence that is not taken: deny.toml says which may be in the package,
 * lib/licences.ts which a tool may have.
 */
import { crates, npmPackages, purl } from './lib/components.ts';
import { isMet, SHIPPED, TOOLS } from './lib/licences.ts';
import { main } from './lib/process.ts';

await main(() => {
  const components = [...crates(), ...npmPackages()];
  const refused = components.filter(({ licence, isShipped }) => !isMet(licence, isShipped ? SHIPPED : TOOLS));
  for (const component of components) {
    const use = component.isShipped ? 'in the package' : 'a tool';
    console.log([purl(component), component.licence || 'none', use, ...(refused.includes(component) ? ['REFUSED'] : [])].join('\t'));
  }
  console.log(`${components.length} components, ${refused.length} with a licence that is not taken`);
  return refused.length === 0 ? 0 : 1;
});
