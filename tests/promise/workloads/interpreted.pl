# What interpreters do all day: hashes, regular expressions, calls, sorting. Size: rounds.
use strict;
use warnings;

sub queens {
  my ($n, $row, $columns, $left, $right) = @_;
  return 1 if $row == $n;
  my $free = ~($columns | $left | $right) & ((1 << $n) - 1);
  my $found = 0;
  while ($free) {
    my $bit = $free & -$free;
    $free ^= $bit;
    $found += queens($n, $row + 1, $columns | $bit, ($left | $bit) << 1, ($right | $bit) >> 1);
  }
  return $found;
}

my $total = 0;
for my $round (0 .. $ARGV[0] - 1) {
  my ($seed, $text) = ($round, '');
  my %count;
  for (1 .. 4000) {
    $seed = ($seed * 1103515 + 12345) & 0x7fffffff;
    my $word = 'w' . $seed % 997;
    ++$count{$word};
    $text .= "$word ";
  }
  my @common = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 19];
  $total = ($total * 31 + $count{$_}) % 1000000007 for @common;
  my $changed = ($text =~ s/w(\d)(\d+)/$2$1/g);
  my $matches = () = $text =~ /\b(\d)\d*\1\b/g;
  $total += $changed + $matches + queens(6, 0, 0, 0, 0);
}
print "$total\n";
