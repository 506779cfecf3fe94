# Runs in the guest: drives the served device through the guest's own vfio-pci, behind an emulated IOMMU.
use strict;
use warnings;
no warnings 'portable';
$| = 1;

use constant { READ => 0, WRITE => 1, MMAP => 9, PREAD => 17, PWRITE => 18, EVENTFD2 => 290 };
my %REG = (ID => 0, SCRATCH => 4, ADDRESS => 8, LENGTH => 0x10, COMMAND => 0x14, STATUS => 0x18, RAISE => 0x1c);
my $failed = 0;

sub check { my ($what, $ok) = @_; print $ok ? "ok - $what\n" : "FAIL - $what\n"; $failed++ unless $ok; }
sub slurp { my ($path) = @_; open my $f, '<', $path or return ''; local $/; my $t = <$f>; return $t; }
sub spew { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f; }

my ($name) = map { m{/([^/]+)/vendor$} } grep { slurp($_) =~ /0x1234/ && slurp($_ =~ s/vendor/device/r) =~ /0x0c09/ } glob '/sys/bus/pci/devices/*/vendor';
check('the guest finds the device', defined $name);
exit 1 unless defined $name;
spew('/sys/bus/pci/drivers/vfio-pci/new_id', '1234 0c09');
my $group = readlink("/sys/bus/pci/devices/$name/iommu_group") =~ s{.*/}{}r;

our $iova = 0x10000000;

# The device with its container and group, which close with the process.
sub attach {
  open my $container, '+<', '/dev/vfio/vfio' or die $!;
  open my $groupFile, '+<', "/dev/vfio/$group" or die "group $group: $!";
  my $containerFd = pack 'i', fileno $container;
  defined ioctl $groupFile, 0x3b68, $containerFd or die "SET_CONTAINER: $!";
  defined ioctl $container, 0x3b66, 3 or die "SET_IOMMU: $!";
  my $wanted = "$name\0";
  my $fd = ioctl $groupFile, 0x3b6a, $wanted or die "GET_DEVICE_FD: $!";
  open my $device, '+<&=', $fd or die $!;
  return ($container, $groupFile, $device, $fd);
}
sub map_dma { my ($container, $address, $at, $size) = @_; my $map = pack 'VVQQQ', 32, 3, $address, $at, $size; return defined ioctl $container, 0x3b71, $map; }

my $child = fork;
if ($child == 0) {
  my ($container, @rest) = attach();
  my $pages = syscall(MMAP, 0, 50 * 4096, 3, 0x22, -1, 0);
  my $mapped = grep { map_dma($container, $pages + $_ * 4096, $iova + $_ * 4096, 4096) } 0 .. 49;
  exit($mapped == 50 ? 0 : 1);
}
waitpid $child, 0;
check('a process dies with 50 mappings', $? == 0);
my ($container, $groupFile, $device, $fd) = attach();

sub position { my ($region, $offset) = @_; return ($region << 40) + $offset; }
sub get { my ($region, $offset, $size) = @_; my $b = "\0" x $size; syscall(PREAD, $fd, $b, $size, position($region, $offset)) == $size or return -1; return unpack $size == 8 ? 'Q' : $size == 4 ? 'V' : $size == 2 ? 'v' : 'C', $b; }
sub put { my ($region, $offset, $size, $value) = @_; my $b = pack $size == 8 ? 'Q' : $size == 4 ? 'V' : $size == 2 ? 'v' : 'C', $value; return syscall(PWRITE, $fd, $b, $size, position($region, $offset)) == $size; }
sub reg { return get(0, $REG{$_[0]}, 4); }
sub set { my ($r, $v) = @_; put(0, $REG{$r}, 4, $v); }

put(7, 4, 2, get(7, 4, 2) | 6);
check('BAR0 shows its identity', reg('ID') == 0x54494b56);
for my $size (1, 2, 4, 8) {
  my $value = 0x8877665544332211 & ($size == 8 ? ~0 : (1 << 8 * $size) - 1);
  put(0, $REG{ADDRESS}, $size, $value);
  check("BAR0 takes and gives $size bytes", get(0, $REG{ADDRESS}, $size) == $value);
}
set('SCRATCH', $_) for 1 .. 1000;
check('a thousand posted writes end with the last', reg('SCRATCH') == 1000);

# A register that only the derived driver has.
my $reads = get(0, 0x20, 4);
check("the derived driver's register counts how often it is read", get(0, 0x20, 4) == $reads + 1) if $reads > 0;

# Interrupts: four vectors, an eventfd each.
my @eventfds = map { syscall(EVENTFD2, 0, 0x800) } 1 .. 4;
my $irqs = pack('V5i4', 20 + 16, 0x24, 2, 0, 4, @eventfds);
check('MSI-X can be enabled', defined ioctl $device, 0x3b6e, $irqs);
for my $vector (0 .. 3) {
  set('RAISE', $vector);
  my $counter = "\0" x 8;
  my $got = -1;
  for (1 .. 200) { $got = syscall(READ, $eventfds[$vector], $counter, 8); last if $got == 8; select undef, undef, undef, 0.01; }
  check("interrupt $vector arrives once", $got == 8 && unpack('Q', $counter) == 1);
}

# DMA: two pages, mapped for the device.
my $length = 8192;
my $memory = syscall(MMAP, 0, $length, 3, 0x22, -1, 0);
sub contents { return unpack "P$length", pack 'Q', $memory; }
sub fill { my ($data) = @_; pipe(my $r, my $w); syswrite $w, $data; syscall(READ, fileno $r, $memory, length $data); }
sub copy { my ($command) = @_; put(0, $REG{ADDRESS}, 8, $iova); set('LENGTH', $length); set('COMMAND', $command); my $s; for (1 .. 500) { $s = reg('STATUS'); last if $s != 1; select undef, undef, undef, 0.01; } return $s; }
check('the next one maps the same addresses', map_dma($container, $memory, $iova, $length));
my $pattern = join '', map { chr(($_ * 13 + 5) & 255) } 0 .. $length - 1;
fill($pattern);
check('the device fetches the memory', copy(1) == 2);
my $bar = "\0" x $length;
syscall(PREAD, $fd, $bar, $length, position(2, 0));
check('BAR2, which the guest maps, shows what was fetched', $bar eq $pattern);
my $other = reverse $pattern;
syscall(PWRITE, $fd, $other, $length, position(2, 0));
{
  local $iova = $iova + 0x4000;
  check('the device does not reach what the first one had', copy(1) == 0x100 + 14);
}
check('the device stores to the memory', copy(2) == 2);
check('the guest sees what was stored', contents() eq $other);
my $unmap = pack 'VVQQ', 24, 0, $iova, $length;
check('memory can be unmapped', defined ioctl $container, 0x3b72, $unmap);
check('DMA is refused then', copy(1) == 0x100 + 14);

my $none = 0;
check('a reset is carried out', defined ioctl $device, 0x3b6f, $none);
put(7, 4, 2, get(7, 4, 2) | 6);
check('the registers are back at their first values', reg('SCRATCH') == 0 && reg('ID') == 0x54494b56);

print $failed ? "RESULT FAIL $failed\n" : "RESULT PASS\n";
