import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../house.js';

const IOMMU = 'packages/iommu/test/selftests/';
const HERE = 'test/conformance/';

/**
 * What the kernel's own tests check: each fixture of tools/testing/selftests/{iommu,vfio} with its cases. A case is a
 * test whose title begins with its name, in a `describe` that begins with the fixture's: grep for either.
 */
const CATALOGUE: readonly (readonly [fixture: string, folder: string, cases: string])[] = [
  ['iommufd', IOMMU, 'simple_close cmd_fail cmd_length cmd_ex_fail global_options'],
  ['change_process', IOMMU, 'basic'],
  [
    'iommufd_ioas',
    IOMMU,
    `ioas_auto_destroy ioas_destroy ioas_area_destroy ioas_area_auto_destroy alloc_hwpt_nested hwpt_attach get_hw_info area
     unmap_fully_contained_areas area_auto_iova area_allowed reserved_overflow iova_ranges ioas_iova_alloc copy_area
     copy_sweep access_domain_destroy access_pin access_pin_unmap access_rw access_rw_unaligned fork_gone fork_present
     ioas_option_huge_pages ioas_align_change dmabuf_simple dmabuf_revoke`,
  ],
  [
    'iommufd_mock_domain',
    IOMMU,
    'basic ro_unshare all_aligns all_aligns_copy user_copy replace alloc_hwpt',
  ],
  [
    'iommufd_dirty_tracking',
    IOMMU,
    `enforce_dirty set_dirty_tracking pasid_set_dirty_tracking device_dirty_capability get_dirty_bitmap
     get_dirty_bitmap_no_clear`,
  ],
  [
    'vfio_compat_mock_domain',
    IOMMU,
    `simple_ioctls unmap_cmd map_cmd info_cmd set_iommu_cmd vfio_ioas simple_close option_huge_pages get_info map
     huge_map`,
  ],
  [
    'iommufd_viommu',
    IOMMU,
    `viommu_auto_destroy viommu_negative_tests viommu_alloc_nested_iopf viommu_alloc_with_data vdevice_alloc
     vdevice_cache hw_queue vdevice_tombstone`,
  ],
  ['iommufd_device_pasid', IOMMU, 'pasid_attach'],
  [
    'iommufd_fail_nth',
    IOMMU,
    `basic_fail_nth map_domain map_file_domain map_two_domains access_rw access_pin access_pin_domain device`,
  ],
  [
    'vfio_dma_mapping_test',
    IOMMU,
    'dma_map_unmap unmap_range unmap_all overflow map_full_bar map_partial_bar map_bar_misaligned',
  ],
  [
    'vfio_iommufd_setup_test',
    IOMMU,
    `bind get_info_without_bind_fails bind_bad_iommufd_fails repeated_bind_fails attach_detach_pt
     attach_invalid_pt_fails`,
  ],
  ['vfio_pci_device_init_perf_test', IOMMU, 'init'],
  [
    'vfio_pci_device_test',
    HERE,
    'config_space_read_write validate_bars enable_trigger_disable reset',
  ],
  [
    'vfio_pci_driver_test',
    HERE,
    `init_remove memcpy_success memcpy_from_unmapped_iova memcpy_to_unmapped_iova send_msi mix_and_match memcpy_storm`,
  ],
  ['vfio_pci_sriov_uapi_test', HERE, 'init_token_match pf_early_close override_token'],
];

const files = [IOMMU, HERE].flatMap((folder) =>
  readdirSync(ROOT + folder)
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('selftests'))
    .map((name) => ({ folder, text: readFileSync(`${ROOT}${folder}${name}`, 'utf8') })),
);

/** Each `describe` of a folder: what stands in quotes in it, up to the first colon, by names. */
const blocks = files.flatMap(({ folder, text }) =>
  text
    .split(/^(?=describe\b)/m)
    .slice(1)
    .map((block) => {
      const quoted = [...block.matchAll(/'((?:[^'\\\n]|\\.)+)'/g)].map(([, title = '']) => title);
      const names = quoted.flatMap((title) => title.replace(/:.*$/, '').split(', '));
      return { folder, fixtures: quoted.map((title) => title.split(' ')[0]), names };
    }),
);

describe("the kernel's own tests", () => {
  test.each(CATALOGUE)('%s: each case is a test of that name', (fixture, folder, cases) => {
    const own = blocks.filter(
      (block) => block.folder === folder && block.fixtures.includes(fixture),
    );
    const there = new Set(own.flatMap(({ names }) => names));
    const missing = cases.split(/\s+/).filter((name) => !there.has(name));
    expect(missing).toEqual([]);
  });

  test('nothing is tested in their name that is not in the catalogue', () => {
    const known = CATALOGUE.map(([fixture]) => fixture);
    const strangers = blocks.filter(
      ({ folder, fixtures }) =>
        folder === IOMMU && !fixtures.some((fixture) => known.includes(fixture ?? '')),
    );
    expect(strangers).toEqual([]);
  });
});
