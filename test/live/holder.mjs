// Opens a VFIO device as a virtual machine monitor does, says so, and holds it until it is killed: holder.mjs GROUP DEVICE.
import { openSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const VFIO_SET_IOMMU = 0x3b66;
const VFIO_GROUP_SET_CONTAINER = 0x3b68;
const VFIO_GROUP_GET_DEVICE_FD = 0x3b6a;
const VFIO_TYPE1v2_IOMMU = 3;

const [group, device] = process.argv.slice(2);
const store = '/vfiokit/node_modules/.pnpm';
const package_ = readdirSync(store).find((name) => name.startsWith('koffi@'));
const koffi = createRequire(`${store}/${package_}/node_modules/koffi/`)('koffi');
const libc = koffi.load(null);
const withNumber = libc.func('int ioctl(int fd, unsigned long request, long argument)');
const withNumbers = libc.func('int ioctl(int fd, unsigned long request, int *argument)');
const withText = libc.func('int ioctl(int fd, unsigned long request, const char *argument)');

const container = openSync('/dev/vfio/vfio', 'r+');
const groupFile = openSync(`/dev/vfio/${group}`, 'r+');
const answers = [
  withNumbers(groupFile, VFIO_GROUP_SET_CONTAINER, [container]),
  withNumber(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
  withText(groupFile, VFIO_GROUP_GET_DEVICE_FD, device),
];
console.log(answers.some((answer) => answer < 0) ? `failed: ${answers}` : 'held');
setInterval(() => {}, 60_000);
