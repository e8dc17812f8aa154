import { defaultFailureConverter, type LoadedDataConverter } from '@temporalio/common';
import { payloadConverter } from './protobuf-payloads.ts';

const protobuf: LoadedDataConverter = {
  payloadConverter,
  failureConverter: defaultFailureConverter,
  payloadCodecs: [],
};

export default protobuf;
