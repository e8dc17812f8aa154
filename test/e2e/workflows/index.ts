export { callOperation, callOperations, cancelOperation } from './callers.ts';
export { keepCart } from './carts.ts';
export { holdParcel, orderParcel, shipParcel } from './parcels.ts';
export { keepSecret } from './secrets.ts';
export { reserveItem } from './stock.ts';
