# Runs in the guest that moves to another QEMU: drives the device by itself, without a driver, so that it can go on with what the
# device held before. What QEMU does not move is the device's configuration; it is written again, as drivers do on resume.
use strict;
use warnings;
no warnings 'portable';
$| = 1;

use constant { READ => 0, MMAP => 9, SHARED => 0x1, LOCKED => 0xa022 };
my %REG = (ID => 0, SCRATCH => 4, ADDRESS => 8, LENGTH => 0x10, COMMAND => 0x14, STATUS => 0x18);
my $PAGE = 4096;
my $failed = 0;

sub check { my ($what, $ok) = @_; print $ok ? "ok - $what\n" : "FAIL - $what\n"; $failed++ unless $ok; }
sub slurp { my ($path) = @_; open my $f, '<', $path or return ''; local $/; my $t = <$f>; return $t; }
sub spew { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f; }

my ($name) = map { m{/([^/]+)/vendor$} } grep { slurp($_) =~ /0x1234/ && slurp($_ =~ s/vendor/device/r) =~ /0x0c09/ } glob '/sys/bus/pci/devices/*/vendor';
check('the guest finds the device', defined $name);
exit 1 unless defined $name;
my $dir = "/sys/bus/pci/devices/$name";
spew("$dir/enable", 1);

open my $config, '+<', "$dir/config" or die $!;
sub config { my ($at, $size) = @_; my $bytes; sysseek $config, $at, 0; sysread $config, $bytes, $size; return $bytes; }
sub configure { my ($at, $bytes) = @_; sysseek $config, $at, 0; syswrite $config, $bytes; }
configure(4, pack 'v', unpack('v', config(4, 2)) | 6);
my $header = config(0, 64);

sub map_bar { my ($bar, $size) = @_; open my $f, '+<', "$dir/resource$bar" or die $!; return syscall(MMAP, 0, $size, 3, SHARED, fileno $f, 0); }
my ($bar0, $bar2) = (map_bar(0, $PAGE), map_bar(2, $PAGE));
sub load { my ($at, $size) = @_; return unpack "P$size", pack 'Q', $at; }
sub store { my ($at, $bytes) = @_; pipe(my $r, my $w); syswrite $w, $bytes; syscall(READ, fileno $r, $at, length $bytes); }
sub reg { return unpack 'V', load($bar0 + $REG{$_[0]}, 4); }
sub set { my ($r, $bytes) = @_; store($bar0 + $REG{$r}, $bytes); }
sub copy { set('COMMAND', pack 'V', $_[0]); my $s; for (1 .. 500) { $s = reg('STATUS'); last if $s != 1; select undef, undef, undef, 0.01; } return $s; }

my $memory = syscall(MMAP, 0, $PAGE, 3, LOCKED, -1, 0);
my $pattern = join '', map { chr(($_ * 7 + 3) & 255) } 0 .. $PAGE - 1;
store($memory, $pattern);
open my $pagemap, '<', '/proc/self/pagemap' or die $!;
sysseek $pagemap, $memory / $PAGE * 8, 0;
sysread $pagemap, my $entry, 8;
my $address = (unpack('Q', $entry) & (1 << 55) - 1) * $PAGE;

set('SCRATCH', pack 'V', 0x5ca1ab1e);
set('ADDRESS', pack 'Q', $address);
set('LENGTH', pack 'V', $PAGE);
check('the device fetches the memory', copy(1) == 2);
check('BAR2 shows what was fetched', load($bar2, $PAGE) eq $pattern);
print "MOVE ME\n";

# The other QEMU's device has no addresses yet.
my $turns = 0;
while (reg('ID') == 0x54494b56) { $turns++; select undef, undef, undef, 0.01; }
print "moved\n";
configure($_, substr $header, $_, 4) for map { 0x10 + 4 * $_ } 0 .. 5;
configure(4, substr $header, 4, 2);
check('the guest ran while it was moved', $turns > 0);
check('the device answers again', reg('ID') == 0x54494b56);
check('its registers hold what they held', reg('SCRATCH') == 0x5ca1ab1e && reg('LENGTH') == $PAGE && reg('STATUS') == 2);
check('its memory holds what it held', load($bar2, $PAGE) eq $pattern);
store($memory, "\0" x $PAGE);
check('it stores to where it fetched from before', copy(2) == 2 && load($memory, $PAGE) eq $pattern);
print $failed ? "RESULT FAIL $failed\n" : "RESULT PASS\n";
